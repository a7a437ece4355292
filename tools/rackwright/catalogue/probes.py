"""What a test must find when it connects from every host to every port."""

from __future__ import annotations

from collections.abc import Iterable

from rackwright.catalogue.flows import ANY, MANAGEMENT, flows, is_management
from rackwright.catalogue.load import Catalogue
from rackwright.catalogue.site import Site

Probe = tuple[str, str, int]


def tcp_ports(catalogue: Catalogue) -> list[int]:
    """Return every TCP port of a catalogue, in order."""
    return sorted(
        {
            port.port
            for service in catalogue.services.values()
            for port in service.ports.values()
            if port.protocol == "tcp"
        }
    )


def probe_matrix(site: Site, undeclared_ports: Iterable[int] = ()) -> dict[Probe, bool]:
    """Return for every (source host, destination host, TCP port) whether a connection must succeed.

    Sources are the hosts of the platform and those outside; destinations those of the platform. Every
    host is asked for every TCP port of the catalogue, also for those of services that it does not run.
    A host and itself are no pair. A host of the platform is bound by its own firewall as well, so `any`
    admits only the hosts outside.

    Args:
        site: The site.
        undeclared_ports: Further ports that nobody declared; all of them must be denied.
    """
    ports = {*tcp_ports(site.catalogue), *undeclared_ports}
    allowed: set[Probe] = set()
    for flow in flows(site):
        if flow.protocol != "tcp":
            continue
        for source in _hosts_behind(site, flow.source):
            allowed.add((source, flow.dest, flow.port))
    return {
        (source, dest, port): (source, dest, port) in allowed
        for source in (*site.hosts, *site.outside)
        for dest in site.hosts
        if source != dest
        for port in sorted(ports)
    }


def _hosts_behind(site: Site, source: str) -> tuple[str, ...]:
    if source == ANY:
        return tuple(site.outside)
    if source == MANAGEMENT:
        return tuple(host.name for host in site.outside.values() if is_management(site, host.address))
    return (source,)
