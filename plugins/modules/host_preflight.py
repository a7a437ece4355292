#!/usr/bin/python
# Copyright: Rackwright contributors
# SPDX-License-Identifier: Apache-2.0
"""Looks at a machine before anything is installed on it, and says what it saw."""

from __future__ import annotations

import os
import platform
import socket
import sys
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.rackwright import command, observe_host, observe_names, observe_network
from ansible.module_utils.rackwright.observe_sources import (
    apt_sources,
    ask_source,
    ask_url,
    at_once,
    proxies,
    proxy_for,
)

DOCUMENTATION = r"""
module: host_preflight
short_description: Look at a machine before anything is installed on it
description:
  - Reads files, asks the package sources and name servers by real requests, and returns what it saw. It
    judges nothing and changes nothing; C(rackwright.preflight) judges on the control node.
  - Its action adds the control node's clock around the call, and turns a host that cannot be asked into a
    result that says why.
options:
  paths:
    description: Paths whose file systems are looked at; one that is not there stands for its nearest parent.
    type: list
    elements: path
    default: [/, /boot, /etc, /tmp, /usr, /var, /var/lib, /var/lib/docker, /var/log]
  package_proxy:
    description: The site's HTTP proxy for packages; without it apt's own setting counts.
    type: str
    default: ""
  dns_servers:
    description: Name servers of the site; each is asked.
    type: list
    elements: str
    default: []
  own_sources:
    description: Whether apt will read the host's own sources; they are asked then, and only then.
    type: bool
    default: true
  urls:
    description: Further URLs that the host must reach, without a proxy; mirrors of the site.
    type: list
    elements: str
    default: []
  timeout:
    description: How long the questions to the network may take, all together, in seconds.
    type: float
    default: 8
  scope:
    description: For the action; C(new) looks only at hosts that were never converged.
    type: str
    choices: [all, new]
    default: all
attributes:
  check_mode: {support: full, description: Changes nothing.}
  diff_mode: {support: none}
author: [Rackwright]
"""

EXAMPLES = r"""
- name: Look at the host
  host_preflight:
    package_proxy: "{{ package_proxy }}"
  register: seen
"""

RETURN = r"""
observations:
  description: What was seen; C(tools/rackwright/preflight/observations.py) describes every key.
  returned: when the host could be asked
  type: dict
window:
  description: The control node's time before and after the call, in seconds since 1970.
  returned: when the host could be asked
  type: list
  elements: float
problem:
  description: Why the host could not be asked.
  returned: when it could not
  type: str
converged:
  description: Whether the platform has been brought to this host before.
  returned: with O(scope=new)
  type: bool
"""

PATHS = ["/", "/boot", "/etc", "/tmp", "/usr", "/var", "/var/lib", "/var/lib/docker", "/var/log"]  # noqa: S108
CONFLICTING = frozenset(
    {"apache2", "docker-ce", "firewalld", "lighttpd", "nftables-persistent", "iptables-persistent",
     "podman-docker", "netfilter-persistent", "ufw"}
)  # fmt: skip
UNITS = ("apache2", "firewalld", "lighttpd", "netfilter-persistent", "snap.docker.dockerd", "ufw")
# Asked of a name server when no name is of interest.
ROOT_NAME = "localhost"


def headers(kernel: str) -> dict[str, Any]:
    """Whether the running kernel's headers are installed, or can be had from the package sources."""
    if Path(f"/lib/modules/{kernel}/build").exists():
        return {"installed": True, "available": True}
    answer = command.run(["apt-cache", "policy", f"linux-headers-{kernel}"], timeout=10)
    found = "Candidate:" in answer.stdout and "Candidate: (none)" not in answer.stdout
    lists = any(Path("/var/lib/apt/lists").glob("*Packages*"))
    return {"installed": False, "available": found if found or lists else None}


def active_units() -> list[str]:
    """Which of the units that get in our way are active."""
    answer = command.run(["systemctl", "is-active", *(f"{name}.service" for name in UNITS)], timeout=5)
    return [name for name, state in zip(UNITS, answer.stdout.splitlines(), strict=False) if state == "active"]


def network(given: dict[str, Any]) -> dict[str, Any]:
    """Ask the package sources, the name servers and the resolver, all at once."""
    limit = given["timeout"]
    known = proxies()
    asked = (
        {url: proxy_for(url, given["package_proxy"], known) for url in apt_sources()}
        if given["own_sources"]
        else {}
    )
    hosts = {urlsplit(proxy or url).hostname or "" for url, proxy in asked.items()}
    names = sorted(
        name for name in {*hosts, *(urlsplit(url).hostname or "" for url in given["urls"])} if _is_name(name)
    )
    late = f"no answer within {limit:g} s"
    questions: list[Any] = [
        ({"url": url, "proxy": proxy, "kind": "timeout", "detail": late, "seconds": limit},
         lambda url=url, proxy=proxy: ask_source(url, proxy, limit))
        for url, proxy in asked.items()
    ]  # fmt: skip
    questions += [
        ({"url": url, "proxy": "", "kind": "timeout", "detail": late, "seconds": limit},
         lambda url=url: ask_url(url, "", limit))
        for url in given["urls"]
    ]  # fmt: skip
    questions += [
        (
            {"name": name, "ok": False, "detail": late, "seconds": limit},
            lambda name=name: observe_names.resolve(name),
        )
        for name in names
    ]
    name = names[0] if names else ROOT_NAME
    questions += [
        ({"server": server, "ok": False, "detail": late},
         lambda server=server: observe_names.ask_server(server, name, min(3.0, limit)))
        for server in given["dns_servers"]
    ]  # fmt: skip
    answers = at_once(questions, limit)
    first, second = len(asked), len(asked) + len(given["urls"])
    return {
        "proxies": known,
        "resolvers": observe_names.resolvers(),
        "own_sources": given["own_sources"],
        "sources": answers[:first],
        "urls": answers[first:second],
        "names": answers[second : second + len(names)],
        "dns": answers[second + len(names) :],
    }


def _is_name(host: str) -> bool:
    return bool(host) and not host.replace(".", "").isdigit() and ":" not in host


def machine(paths: list[str]) -> dict[str, Any]:
    """Everything that is read from the machine itself."""
    kernel = platform.release()
    gpus = observe_host.gpus()
    return {
        "hostname": socket.gethostname(),
        "machine_id": observe_host.text(Path("/etc/machine-id")),
        "boot_id": observe_host.text(Path("/proc/sys/kernel/random/boot_id")),
        "os": observe_host.release(),
        "kernel": kernel,
        "architecture": platform.machine(),
        "python": f"{sys.version_info[0]}.{sys.version_info[1]}",
        "container": observe_host.is_container(),
        "systemd": Path("/run/systemd/system").is_dir(),
        "cgroup_version": observe_host.cgroup_version(),
        "clock_synchronised": observe_host.clock_synchronised(),
        **observe_host.memory(),
        "cpus": len(os.sched_getaffinity(0)),
        "disks_gb": observe_host.disks_gb(),
        "filesystems": observe_host.filesystems(paths, observe_host.text(Path("/proc/self/mounts"))),
        "gpus": gpus,
        "driver": observe_host.driver_version(),
        # Only what a driver will be built for needs them, and apt takes its time.
        "headers": headers(kernel) if gpus else None,
        "secure_boot": observe_host.secure_boot(),
        "packages": observe_host.installed_packages(CONFLICTING),
        "units": active_units(),
        "docker_snap": Path("/snap/docker").exists(),
        "ufw": "ENABLED=yes" in observe_host.text(Path("/etc/ufw/ufw.conf")),
        "interfaces": observe_network.interfaces(),
        "routes": observe_network.routes(),
        "listeners": observe_network.listeners(),
    }


def main() -> None:
    """The module's entry point."""
    module = AnsibleModule(
        argument_spec={
            "paths": {"type": "list", "elements": "path", "default": PATHS},
            "package_proxy": {"type": "str", "default": ""},
            "dns_servers": {"type": "list", "elements": "str", "default": []},
            "own_sources": {"type": "bool", "default": True},
            "urls": {"type": "list", "elements": "str", "default": []},
            "timeout": {"type": "float", "default": 8.0},
            "scope": {"type": "str", "choices": ["all", "new"], "default": "all"},
        },
        supports_check_mode=True,
    )
    given = module.params
    if given["timeout"] <= 0:
        module.fail_json(msg="host_preflight: timeout must be more than 0")
    started = time.time()
    observations = {"started": started, **network(given), **machine(given["paths"])}
    observations["ended"] = time.time()
    module.exit_json(changed=False, observations=observations, invocation={})


if __name__ == "__main__":
    main()
