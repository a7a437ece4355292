"""What a machine's network is, and who listens on it."""

from __future__ import annotations

import contextlib
import ipaddress
import json
import re
import struct
from pathlib import Path
from typing import Any

from ansible.module_utils.rackwright import command
from ansible.module_utils.rackwright.observe_host import text

_LISTENS = "0A"
# A UDP socket without a peer.
_UNCONNECTED = "07"
_TABLES = (("tcp", "tcp", _LISTENS), ("tcp6", "tcp", _LISTENS), ("udp", "udp", _UNCONNECTED),
           ("udp6", "udp", _UNCONNECTED))  # fmt: skip
_CONTAINER = re.compile(r"(?:^|docker-)([0-9a-f]{64})(?:\.scope)?$")
_CONTAINERS = "var/lib/docker/containers"


def address_of(hexadecimal: str) -> str:
    """An address as /proc/net writes it: groups of four bytes, each in the machine's own order."""
    groups = [hexadecimal[start : start + 8] for start in range(0, len(hexadecimal), 8)]
    return str(ipaddress.ip_address(b"".join(struct.pack("=I", int(group, 16)) for group in groups)))


def sockets(root: Path = Path("/")) -> dict[str, dict[str, Any]]:
    """Every socket that waits for somebody, by its inode."""
    found = {}
    for table, protocol, state in _TABLES:
        for line in text(root / "proc/net" / table).splitlines()[1:]:
            fields = line.split()
            if fields[3] != state:
                continue
            address, _, port = fields[1].partition(":")
            found[fields[9]] = {
                "protocol": protocol,
                "address": address_of(address),
                "port": int(port, 16),
                "program": "",
                "unit": "",
                "container": "",
            }
    return found


def listeners(ports: frozenset[int] | None = None, root: Path = Path("/")) -> list[dict[str, Any]]:
    """Who listens: protocol, address, port, and the program, systemd unit and container that it belongs to.

    Args:
        ports: Only these; None for all.
        root: The file system's root.
    """
    found = {
        inode: entry for inode, entry in sockets(root).items() if ports is None or entry["port"] in ports
    }
    # In a container its own id stands in the path of everything.
    outer = owner(text(root / "proc/1/cgroup"))[1]
    open_sockets = {f"socket:[{inode}]": inode for inode in found}
    published: dict[int, str] | None = None
    # Several processes may hold one socket; the oldest is the service.
    for process in sorted(
        (entry for entry in (root / "proc").glob("[0-9]*")), key=lambda path: int(path.name)
    ):
        for inode in _held(process, open_sockets):
            entry = found[inode]
            if entry["program"]:
                continue
            entry["program"] = text(process / "comm")
            entry["unit"], container = owner(text(process / "cgroup"))
            if container and container != outer:
                entry["container"] = _container_name(container, root)
            elif entry["program"] in {"dockerd", "docker-proxy"}:
                published = _published(root) if published is None else published
                entry["container"] = published.get(entry["port"], "")
            elif process.name == "1":
                # systemd holds the socket for a service that is not there yet.
                entry["unit"] = _activated(entry["port"])
    return sorted(found.values(), key=lambda entry: (entry["port"], entry["protocol"], entry["address"]))


def owner(cgroups: str) -> tuple[str, str]:
    """The unit and the container's id in the content of /proc/PID/cgroup; empty where there is none."""
    paths = [
        line.split(":", 2)[2]
        for line in cgroups.splitlines()
        if line.startswith("0::") or ":name=systemd:" in line
    ]
    unit, container = "", ""
    for path in paths:
        parts = path.split("/")
        # What is in a container's own groups belongs to the innermost one.
        inside = [match[1] for match in map(_CONTAINER.search, parts) if match]
        if inside:
            container = inside[-1]
        units = [part for part in parts if part.endswith((".service", ".socket"))]
        if units:
            unit = units[-1]
    return unit, container


def _held(process: Path, wanted: dict[str, str]) -> list[str]:
    found = []
    # The process, or one of its files, may be gone meanwhile.
    with contextlib.suppress(OSError):
        for entry in (process / "fd").iterdir():
            with contextlib.suppress(OSError):
                found.append(str(entry.readlink()))
    return [wanted[link] for link in found if link in wanted]


def _container_name(identifier: str, root: Path) -> str:
    try:
        return str(json.loads(text(root / _CONTAINERS / identifier / "config.v2.json"))["Name"]).lstrip("/")
    except (ValueError, KeyError):
        return identifier[:12]


def _published(root: Path) -> dict[int, str]:
    """Ports of the host that running containers have, with the container's name."""
    found = {}
    for place in sorted((root / _CONTAINERS).glob("*")):
        try:
            config = json.loads(text(place / "config.v2.json"))
            bindings = json.loads(text(place / "hostconfig.json")).get("PortBindings") or {}
        except ValueError:
            continue
        if config.get("State", {}).get("Running"):
            for entry in (entry for entries in bindings.values() for entry in entries or []):
                if str(entry.get("HostPort", "")).isdigit():
                    found[int(entry["HostPort"])] = str(config.get("Name", "")).lstrip("/")
    return found


def _activated(port: int) -> str:
    answer = command.run(["systemctl", "list-sockets", "--no-legend", "--full", "--plain"], timeout=5)
    for line in answer.stdout.splitlines():
        fields = line.split()
        if len(fields) > 1 and fields[0].rpartition(":")[2] == str(port):
            return str(fields[1])
    return ""


def interfaces(root: Path = Path("/")) -> list[dict[str, Any]] | None:
    """Interfaces with their addresses; None where `ip` is missing."""
    answer = command.run(["ip", "-json", "address"], timeout=5)
    if answer.rc != 0:
        return None
    found = []
    for entry in json.loads(answer.stdout or "[]"):
        name = str(entry.get("ifname", ""))
        speed = text(root / "sys/class/net" / name / "speed")
        found.append(
            {
                "name": name,
                "up": "UP" in entry.get("flags", []),
                "addresses": [
                    f"{address['local']}/{address['prefixlen']}"
                    for address in entry.get("addr_info", [])
                    if address.get("local")
                ],
                "speed_mbps": int(speed) if speed.isdigit() else None,
            }
        )
    return found


def routes() -> list[dict[str, str]]:
    """The routes of the main tables: network (`default` as 0.0.0.0/0 or ::/0) and interface."""
    found = []
    for family, everywhere in (("-4", "0.0.0.0/0"), ("-6", "::/0")):
        answer = command.run(["ip", "-json", family, "route"], timeout=5)
        if answer.rc != 0:
            continue
        for entry in json.loads(answer.stdout or "[]"):
            if entry.get("type", "unicast") != "unicast":
                continue
            target = str(entry.get("dst", ""))
            found.append(
                {
                    "network": everywhere if target == "default" else target,
                    "interface": str(entry.get("dev", "")),
                    "gateway": str(entry.get("gateway", "")),
                }
            )
    return found
