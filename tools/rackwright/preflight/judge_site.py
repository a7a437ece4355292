"""What only all hosts together show: the same machine twice, the same name twice."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping

from rackwright.preflight.finding import HostFinding
from rackwright.preflight.observations import Observations


def machine_findings(seen: Mapping[str, Observations]) -> Iterator[HostFinding]:
    """Yield hosts of the inventory that are one machine, and clones that share an identity.

    One machine has the same machine id, the same boot and the same addresses. Clones share the id alone.
    """
    needed = "a machine of its own for every host"
    for hosts in _alike({host: entry.machine_id for host, entry in seen.items()}).values():
        for host in hosts:
            others = [other for other in hosts if other != host]
            same = [other for other in others if _identity(seen[other]) == _identity(seen[host])]
            clones = [other for other in others if other not in same]
            if same:
                yield HostFinding(
                    "error",
                    host,
                    "machine",
                    f"the same machine as {_listed(same)}",
                    needed,
                    "correct ansible_host, or give the machine one name in all groups that it is in",
                )
            if clones:
                yield HostFinding(
                    "warning",
                    host,
                    "machine",
                    f"the machine id of {_listed(clones)}: one is a copy of the other",
                    needed,
                    "on one of them: rm /etc/machine-id && systemd-machine-id-setup, then start it anew",
                )


def hostname_findings(seen: Mapping[str, Observations]) -> Iterator[HostFinding]:
    """Yield names that several machines give themselves."""
    machines = {host: entry.hostname.partition(".")[0] for host, entry in seen.items()}
    for hosts in _alike(machines).values():
        for host in hosts:
            others = [other for other in hosts if _identity(seen[other]) != _identity(seen[host])]
            if others:
                yield HostFinding(
                    "warning",
                    host,
                    "hostname",
                    f"{machines[host]}, as {_listed(others)}",
                    "a name of its own for every machine",
                    f"`hostnamectl hostname {host}`",
                )


def _identity(entry: Observations) -> tuple[str, str, tuple[str, ...]]:
    addresses = sorted(
        address
        for interface in entry.interfaces or []
        for address in interface.addresses
        if not address.startswith(("127.", "::1", "fe80:"))
    )
    return entry.machine_id, entry.boot_id, tuple(addresses)


def _alike(values: Mapping[str, str]) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = defaultdict(list)
    for host, value in values.items():
        if value:
            groups[value].append(host)
    return {value: hosts for value, hosts in groups.items() if len(hosts) > 1}


def _listed(hosts: list[str], most: int = 4) -> str:
    rest = len(hosts) - most
    return ", ".join(hosts[:most]) + (f" and {rest} more" if rest > 0 else "")
