#!/usr/bin/python
"""Reads what a machine is made of; changes nothing and needs nothing but Python."""

from __future__ import annotations

import os
import platform
import sys
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.rackwright import command, machine_files

DOCUMENTATION = r"""
---
module: host_scan
short_description: Read what a machine is made of
description:
  - Reads processors, memory, NUMA nodes, disks, file systems, network interfaces, GPUs and Secure Boot.
  - It hands back what files and programs say, as they say it. C(rackwright scan) makes the host's
    C(hardware.yml) of it on the control node, so that every reading can be tested with recorded outputs.
  - It changes nothing and needs nothing but Python. Programs that are not there are told as absent.
options:
  timeout:
    description: Seconds that a program may take. C(nvidia-smi) takes long on a machine with eight GPUs whose
      driver is not kept loaded.
    type: int
    default: 60
attributes:
  check_mode: {support: full, description: Changes nothing.}
author: [Rackwright]
"""

EXAMPLES = r"""
- name: Read what the machine is made of
  host_scan:
  register: scan
"""

RETURN = r"""
raw:
  description: What files and programs say.
  returned: always
  type: dict
  contains:
    texts: {description: "Files by name: os_release, meminfo, nvidia_driver", type: dict}
    programs: {description: "Outcome of each program by name: rc, out, err", type: dict}
    system: {description: "Kernel, architecture, Python, kind of virtual machine, Secure Boot", type: dict}
    cpus: {description: Logical processors that this host may use, type: int}
    numa: {description: NUMA nodes, type: list, elements: dict}
    disks: {description: Block devices that are no partitions, type: list, elements: dict}
    mounts: {description: Mounted local file systems, type: list, elements: dict}
    interfaces: {description: Network interfaces, type: list, elements: dict}
    pci: {description: Display controllers and NVSwitches, type: list, elements: dict}
    nvidia_nodes: {description: Names of the driver's device nodes, type: list, elements: str}
"""

_SYS, _PROC = Path("/sys"), Path("/proc")
_FIELDS = [
    "pci.bus_id", "pci.device_id", "pci.sub_device_id", "name", "memory.total", "driver_version",
    "mig.mode.current", "compute_cap",
]  # fmt: skip


def program(argv: list[str], timeout: int) -> dict[str, Any]:
    """Run a program and tell how it went; rc 127 says that there is none."""
    outcome = command.run(argv, timeout=timeout)
    return {"rc": outcome.rc, "out": outcome.stdout, "err": outcome.stderr[-2000:]}


def nvidia_programs(timeout: int) -> dict[str, Any]:
    """Ask nvidia-smi, where there is one, for the GPUs and how they are joined."""
    found: dict[str, Any] = {}
    # A driver before 510 does not know the last field and refuses the whole question.
    for fields in (_FIELDS, _FIELDS[:-1]):
        found["nvidia_csv"] = program(
            ["nvidia-smi", f"--query-gpu={','.join(fields)}", "--format=csv"], timeout
        )
        if found["nvidia_csv"]["rc"] != 2:  # noqa: PLR2004 - nvidia-smi(1): an argument is invalid
            break
    if found["nvidia_csv"]["rc"] == 0 and len(found["nvidia_csv"]["out"].splitlines()) > 2:  # noqa: PLR2004
        # Header and more than one GPU: only then they can be joined.
        found["nvidia_topology"] = program(["nvidia-smi", "topo", "-m"], timeout)
        found["nvidia_xml"] = program(["nvidia-smi", "-q", "-x"], timeout)
    return found


def virtualization() -> str:
    """The kind of virtual machine or container, as systemd names it."""
    asked = command.run(["systemd-detect-virt"])
    if asked.rc != 127:  # noqa: PLR2004 - no such program
        return str(asked.stdout).strip() or "none"
    if Path("/.dockerenv").exists() or Path("/run/.containerenv").exists():
        return "docker"
    return "none"


def secure_boot(kind: str) -> str:
    """`on` or `off`; empty where nobody says."""
    told = str(machine_files.secure_boot(_SYS))
    if told or kind != "none":
        return told
    answer = command.run(["mokutil", "--sb-state"]).stdout
    return {"SecureBoot enabled": "on", "SecureBoot disabled": "off"}.get(answer.strip(), "")


def collect(timeout: int) -> dict[str, Any]:
    """Read everything."""
    kind = virtualization()
    return {
        "texts": {
            "os_release": machine_files.text(Path("/etc/os-release"))
            or machine_files.text(Path("/usr/lib/os-release")),
            "meminfo": machine_files.text(_PROC / "meminfo"),
            "nvidia_driver": machine_files.text(_PROC / "driver/nvidia/version"),
        },
        "programs": {"lscpu": program(["lscpu"], timeout), **nvidia_programs(timeout)},
        "system": {
            "kernel": platform.release(),
            "architecture": platform.machine(),
            "python": f"{sys.version_info[0]}.{sys.version_info[1]}",
            "virtualization": kind,
            "secure_boot": secure_boot(kind),
        },
        "cpus": len(os.sched_getaffinity(0)),
        "numa": machine_files.numa_nodes(_SYS),
        "disks": machine_files.disks(_SYS),
        "mounts": machine_files.mounts(_SYS, machine_files.text(_PROC / "self/mountinfo")),
        "interfaces": machine_files.interfaces(_SYS, machine_files.text(_PROC / "net/if_inet6")),
        "pci": machine_files.pci_devices(_SYS),
        "nvidia_nodes": [entry.name for entry in Path("/dev").glob("nvidia*") if not entry.is_dir()],
    }


def main() -> None:
    """Run the module."""
    spec = {"timeout": {"type": "int", "default": 60}}
    module = AnsibleModule(argument_spec=spec, supports_check_mode=True)
    module.exit_json(changed=False, raw=collect(module.params["timeout"]))


if __name__ == "__main__":
    main()
