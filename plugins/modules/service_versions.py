#!/usr/bin/python
# Copyright: Rackwright contributors
# SPDX-License-Identifier: Apache-2.0
"""Tells which version of each service is on its host, and whether that is the one it is pinned to."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import Any

from ansible.module_utils.rackwright import lean
from ansible.module_utils.rackwright.docker_socket import DockerError, inspected

DOCUMENTATION = r"""
module: service_versions
short_description: Tell which version of each service runs
description:
  - Of a unit of a Debian package, the package's version; as pinned when the host's sources offer no other.
  - Of a container, its image; it is as pinned when the container was made of what the last apply wrote down.
  - Of anything else nothing is told. It changes nothing.
options:
  services:
    description: What to look at.
    type: list
    elements: dict
    required: true
    suboptions:
      service: {description: Name in the catalogue., type: str, required: true}
      unit: {description: Its systemd unit., type: str}
      container: {description: Its container., type: str}
  socket: {description: Docker's socket., type: str, default: /run/docker.sock}
  containers_directory:
    description: Where containers are written down.
    type: str
    default: /etc/rackwright/containers
attributes:
  check_mode: {support: full}
  diff_mode: {support: none}
"""

EXAMPLES = r"""
- name: Ask for versions
  service_versions:
    services: [{service: nginx, unit: nginx.service}]
"""

RETURN = r"""
versions:
  description: One entry for each service of which something is known.
  returned: always
  type: list
  elements: dict
  contains:
    service: {description: As given., type: str}
    version: {description: What runs., type: str}
    pinned: {description: What it is pinned to., type: str}
    as_pinned: {description: Whether that is the same., type: bool}
"""

SERVICE = {
    "service": {"type": "str", "required": True},
    "unit": {"type": "str"},
    "container": {"type": "str"},
}
_SECONDS = 20
_REVISION = re.compile(r"rackwright\.revision[\"']?\s*[:=]\s*[\"']?([0-9a-f]+)")
_IMAGE = re.compile(r"^\s+image:\s*[\"']?([^\"'\s]+)", re.MULTILINE)
_DIGEST = 19


def run(*command: str) -> str:
    """What a program prints; empty when it is not there or fails."""
    environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"}
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_SECONDS, check=False, env=environment, cwd="/"
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout


def packages_of(units: list[str]) -> dict[str, str]:
    """The package that each unit's file belongs to."""
    paths: dict[str, str] = {}
    for block in run("systemctl", "show", "--property=Id,FragmentPath", *units).strip().split("\n\n"):
        values = dict(part.partition("=")[::2] for part in block.splitlines())
        if path := values.get("FragmentPath"):
            # dpkg may know a file by its path before /bin, /lib and the like moved below /usr.
            for name in (path, os.path.realpath(path), path.removeprefix("/usr")):
                paths[name] = values["Id"]
    found: dict[str, str] = {}
    for line in run("dpkg-query", "-S", *paths).splitlines() if paths else ():
        owner, _, path = line.partition(": ")
        if path in paths:
            found[paths[path]] = owner
    return found


def policies(packages: list[str]) -> dict[str, tuple[str, str]]:
    """Installed and offered version of each package."""
    found: dict[str, tuple[str, str]] = {}
    name = ""
    installed = ""
    for line in run("apt-cache", "policy", *packages).splitlines():
        if not line.startswith(" "):
            name = line.rstrip(":")
        elif line.strip().startswith("Installed:"):
            installed = line.partition(":")[2].strip()
        elif line.strip().startswith("Candidate:"):
            found[name] = (installed, line.partition(":")[2].strip())
    return found


def of_container(name: str, socket: str, directory: str) -> dict[str, Any] | None:
    """The image of a container, and whether it was made of what is written down for it."""
    try:
        container = inspected(name, socket, 5)
    except (DockerError, OSError):
        return None
    if container is None:
        return None
    try:
        written = (Path(directory) / name / "compose.yaml").read_text(encoding="utf-8")
    except OSError:
        written = ""
    wanted, image = _REVISION.search(written), _IMAGE.search(written)
    revision = (container["Config"].get("Labels") or {}).get("rackwright.revision", "")
    # A name alone may mean another image tomorrow: the one that runs is told by its digest.
    running = f"{container['Config']['Image'].partition('@')[0]} ({container['Image'][:_DIGEST]})"
    return {
        "version": running,
        "pinned": image[1] if image else "",
        "as_pinned": wanted[1] == revision if wanted else None,
    }


def main() -> None:
    """The module's entry point."""
    module = lean.Module(
        {
            "services": {"type": "list", "elements": "dict", "required": True, "options": SERVICE},
            "socket": {"type": "str", "default": "/run/docker.sock"},
            "containers_directory": {"type": "str", "default": "/etc/rackwright/containers"},
        }
    )
    given = module.params
    units = [item["unit"] for item in given["services"] if item["unit"] and not item["container"]]
    owners = packages_of(units) if units else {}
    offered = policies(sorted(set(owners.values()))) if owners else {}
    found = []
    for item in given["services"]:
        about = None
        if item["container"]:
            about = of_container(item["container"], given["socket"], given["containers_directory"])
        elif (package := owners.get(item["unit"] or "")) in offered:
            installed, candidate = offered[str(package)]
            about = {"version": installed, "pinned": candidate, "as_pinned": installed == candidate}
        if about is not None:
            found.append({"service": item["service"], **about})
    module.exit_json(changed=False, versions=found)


if __name__ == "__main__":
    main()
