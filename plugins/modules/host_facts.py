#!/usr/bin/python
"""Reads the few facts about a machine that Rackwright uses."""

from __future__ import annotations

import json
import os
import platform
import re
import shlex
import sys
from pathlib import Path
from typing import Any

from ansible.module_utils.rackwright import command, lean, verified

DOCUMENTATION = r"""
---
module: host_facts
short_description: Read the few facts about a machine that Rackwright uses
description:
  - Takes the place of the C(setup) module; it reads a handful of files and asks one program.
  - Sets C(ansible_facts.host_facts); C(group_vars/all/facts.yml) makes that the variable C(host_facts).
options:
  data_path:
    description: A path on the disk that holds the data, for
      RV(ansible_facts.host_facts.data_disk_rotational).
    type: path
    default: /var/lib
attributes:
  check_mode: {support: full, description: Changes nothing.}
author: [Rackwright]
"""

EXAMPLES = r"""
- name: Read the facts
  host_facts:

- name: Use one
  ansible.builtin.debug:
    msg: "{{ host_facts.os }} with {{ host_facts.memory_mb }} MB"
"""

RETURN = r"""
ansible_facts:
  description: The facts.
  returned: always
  type: dict
  contains:
    host_facts:
      description: The facts about this host.
      type: dict
      contains:
        distribution: {description: "Debian, Ubuntu, …", type: str}
        major: {description: "First number of the release, C(13)", type: str}
        codename: {description: "C(trixie)", type: str}
        os: {description: "Distribution and release, C(debian-13), C(ubuntu-22.04)", type: str}
        architecture: {description: "x86_64 or aarch64", type: str}
        python: {description: "Version of the interpreter that ran this, C(3.13)", type: str}
        memory_mb: {description: "Memory of the machine in MiB", type: int}
        cpus: {description: "Processors that this host may use", type: int}
        virtualization: {description: "container, none, or the kind of virtual machine, C(kvm)", type: str}
        is_container: {description: Whether it is a container, type: bool}
        data_disk_rotational: {description: Whether the data disk turns; null when it cannot be known.,
          type: bool}
        systemd: {description: "Version of systemd; 0 when there is none", type: int}
        converged: {description: Whether the platform has been brought to this host before., type: bool}
"""

# What the firewall's role leaves behind; it is among the first on a host.
CONVERGED = Path("/var/lib/rackwright/firewall.applied")
_NAMES = {"debian": "Debian", "ubuntu": "Ubuntu"}
_CONTAINERS = {
    "docker", "lxc", "lxc-libvirt", "openvz", "podman", "pouch", "proot", "rkt", "systemd-nspawn", "wsl",
    "container-other",
}  # fmt: skip


def release(text: str) -> dict[str, str]:
    """Read os-release(5): distribution, major, codename and os."""
    pairs = (line.split("=", 1) for line in text.splitlines() if "=" in line and not line.startswith("#"))
    values = {key.strip(): "".join(shlex.split(value)[:1]) for key, value in pairs}
    identifier, version = values.get("ID", "linux"), values.get("VERSION_ID", "")
    codename = values.get("VERSION_CODENAME", "")
    return {
        "distribution": _NAMES.get(identifier, identifier.capitalize()),
        "major": version.split(".")[0],
        "codename": codename,
        # Debian's coming release has no number yet.
        "os": f"{identifier}-{version or codename or 'unknown'}",
    }


def memory_mb(meminfo: str) -> int:
    """The machine's memory in MiB, from /proc/meminfo."""
    match = re.search(r"^MemTotal:\s+(\d+) kB", meminfo, re.MULTILINE)
    return int(match[1]) // 1024 if match else 0


def systemd_version(root: Path = Path("/")) -> int:
    """The version of systemd by the name of its library: no program has to be started for it."""
    for pattern in ("usr/lib/systemd/libsystemd-shared-*.so", "usr/lib/*/systemd/libsystemd-shared-*.so"):
        for path in root.glob(pattern):
            match = re.match(r"libsystemd-shared-(\d+)", path.name)
            if match:
                return int(match[1])
    return 0


def rotational(path: str, sys_block: Path = Path("/sys/dev/block")) -> bool | None:
    """Whether the disk under a path turns; None when there is no disk to be seen (overlay, network, pool)."""
    existing = next(place for place in (Path(path), *Path(path).parents) if place.exists())
    device = existing.stat().st_dev
    entry = sys_block / f"{os.major(device)}:{os.minor(device)}"
    # A partition has no queue of its own: its disk, one level up, does.
    for queue in (entry / "queue", entry.resolve().parent / "queue"):
        flag = queue / "rotational"
        if flag.is_file():
            return flag.read_text(encoding="ascii").strip() == "1"
    return None


def virtualization() -> str:
    """What kind of machine this is, as systemd sees it; every kind of container is `container`."""
    answer = command.run(["systemd-detect-virt"]).stdout.strip() or "none"
    return "container" if answer in _CONTAINERS else answer


def collect(data_path: str) -> dict[str, Any]:
    """Gather all facts of this host."""
    os_release = next(
        path for path in (Path("/etc/os-release"), Path("/usr/lib/os-release")) if path.exists()
    )
    kind = virtualization()
    return {
        **release(os_release.read_text(encoding="utf-8")),
        "architecture": platform.machine(),
        "python": f"{sys.version_info[0]}.{sys.version_info[1]}",
        "memory_mb": memory_mb(Path("/proc/meminfo").read_text(encoding="ascii")),
        "cpus": len(os.sched_getaffinity(0)),
        "virtualization": kind,
        "is_container": kind == "container",
        "data_disk_rotational": rotational(data_path),
        "systemd": systemd_version(),
        "converged": CONVERGED.exists(),
    }


def main() -> None:
    """Run the module."""
    spec = {"data_path": {"type": "path", "default": "/var/lib"}}
    module = lean.Module(spec)
    facts = collect(module.params["data_path"])
    told: dict[str, Any] = {"host_facts": facts}
    if sys.argv[1:] == ["verify"]:
        state, lasting = verified.directory(), not module.check_mode
        # As text: what is deeper is copied and wrapped for every task.
        held = json.dumps(verified.verified(state, tidy=lasting))
        told["rackwright_state"] = {"salt": verified.salt(state, make=lasting), "verified": held}
    module.exit_json(changed=False, ansible_facts=told, invocation={})


if __name__ == "__main__":
    main()
