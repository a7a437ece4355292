"""What the hosts told: their addresses, and how each connection ended."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rackwright.catalogue.probes import probe_matrix

if TYPE_CHECKING:
    from rackwright.catalogue.site import Site

# Docker's own bridges have addresses too, which no packet from outside is for.
_BRIDGES = ("docker", "br-", "veth", "virbr", "lo")
# A refusal comes from the host itself: the packet went through.
_REACHED = frozenset({"open", "refused"})


@dataclass(frozen=True)
class Probe:
    """One connection that was tried.

    Attributes:
        source: Host that tried.
        dest: Host that was called.
        address: Its address; one that the inventory does not name where it has several.
        port: TCP port.
        allowed: What the catalogue says.
        result: `open`, `refused`, `timeout` or `unreachable`.
    """

    source: str
    dest: str
    address: str
    port: int
    allowed: bool
    result: str

    @property
    def verdict(self) -> str:
        """Return `ok`, `open` or `closed` (and must not be), `silent` (open, and nothing listens)."""
        reached = self.result in _REACHED
        if reached != self.allowed:
            return "open" if reached else "closed"
        return "silent" if self.result == "refused" else "ok"


def global_addresses(result: Mapping[str, Any]) -> list[str]:
    """Return the addresses of `ip -json address show scope global`, without those of bridges."""
    try:
        links = json.loads(str(result.get("stdout") or "[]"))
    except ValueError:
        return []
    return [
        str(entry["local"])
        for link in links
        if not str(link.get("ifname", "")).startswith(_BRIDGES)
        for entry in link.get("addr_info", [])
        if "local" in entry
    ]


def probes(
    site: Site, answers: Mapping[str, Sequence[Mapping[str, Any]]], further: Mapping[str, Sequence[str]]
) -> Iterator[Probe]:
    """Yield every connection between two hosts, with what the catalogue says of it.

    Args:
        site: The site.
        answers: Host -> results of the module connect_probe.
        further: Host -> all its addresses.
    """
    expected = probe_matrix(site)
    owners = {host.address: host.name for host in site.hosts.values()}
    for name, addresses in further.items():
        for address in addresses:
            if name in site.hosts:
                owners.setdefault(address, name)
    for source, results in answers.items():
        for entry in results:
            address, port = str(entry["address"]), int(entry["port"])
            dest = owners.get(address)
            if dest is None or dest == source:
                continue
            named = site.hosts[dest].address
            # Rules ask for the caller's address: another one of the same family is the same door.
            same = ipaddress.ip_address(named).version == ipaddress.ip_address(address).version
            allowed = same and expected.get((source, dest, port), False)
            yield Probe(source, dest, address, port, allowed, str(entry["result"]))
