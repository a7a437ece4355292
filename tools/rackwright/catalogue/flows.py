"""Who may speak to whom: the catalogue's callers, turned into flows between the hosts of a site."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass

from rackwright.catalogue.findings import Finding, FindingsError
from rackwright.catalogue.model import Caller, Port
from rackwright.catalogue.site import Site, SiteHost, everywhere

ANY = "any"
MANAGEMENT = "management"


@dataclass(frozen=True)
class Flow:
    """One allowed connection.

    Attributes:
        source: A host's name, `any` (the whole world) or `management` (management_sources).
        dest: The host that listens; may be the source itself, when a caller runs beside the service.
        service: The service that is called.
        port_name: The port's name in the catalogue.
        port: Its number.
        protocol: tcp or udp.
    """

    source: str
    dest: str
    service: str
    port_name: str
    port: int
    protocol: str


def flows(site: Site) -> list[Flow]:
    """Return every allowed flow of a site, in the catalogue's order; none twice.

    A host whose address is a management source is also named as a source of its own: its own firewall
    must let it out.

    Raises:
        FindingsError: A caller that the zones' policy forbids.
    """
    findings = policy_findings(site)
    if findings:
        raise FindingsError(findings)
    found: dict[Flow, None] = {}
    for service, dest, port_name, port, caller in _wanted(site):
        for source in _sources(site, caller):
            found[Flow(source, dest.name, service, port_name, port.port, port.protocol)] = None
    return list(found)


def policy_findings(site: Site) -> list[Finding]:
    """Return what the catalogue's callers want but the zones' policy forbids, on this site's hosts."""
    found: dict[Finding, None] = {}
    policy = site.catalogue.zone_policy
    for service, dest, port_name, port, caller in _wanted(site):
        variable = f"services.{service}.ports.{port_name}.callers"
        if caller.kind == ANY and not policy[dest.zone].reached_from_outside:
            found[
                Finding(
                    variable,
                    ANY,
                    f"the outside may not call the zone {dest.zone}, where {dest.name} runs {service}",
                    "name the services or groups that call it, or move the host to a zone with "
                    "`reached_from_outside`",
                    where=f"host {dest.name}",
                )
            ] = None
        for source in _calling_hosts(site, caller):
            if source.name == dest.name or dest.zone in policy[source.zone].may_call:
                continue
            found[
                Finding(
                    variable,
                    f"{caller.kind}:{caller.name}",
                    f"the zone {source.zone} ({source.name}) may not call the zone {dest.zone} "
                    f"({dest.name}:{port.port})",
                    f"move one of the hosts, or remove the caller; zone_policy.{source.zone}.may_call is "
                    f"{list(policy[source.zone].may_call)}",
                    where=f"host {source.name}",
                )
            ] = None
    return list(found)


def is_management(site: Site, address: str) -> bool:
    """Tell whether an address lies in one of the site's management sources."""
    candidate = ipaddress.ip_address(address)
    return any(candidate in ipaddress.ip_network(network) for network in site.management_sources)


def source_cidrs(site: Site, flow: Flow) -> tuple[str, ...]:
    """Return the networks that a flow's source stands for, in the family of its destination for `any`."""
    if flow.source == ANY:
        return (everywhere(site.hosts[flow.dest].address),)
    if flow.source == MANAGEMENT:
        return tuple(site.management_sources)
    return (site.hosts[flow.source].cidr,)


def _wanted(site: Site) -> Iterator[tuple[str, SiteHost, str, Port, Caller]]:
    for name, service in site.catalogue.services.items():
        for dest in site.hosts_of(name):
            for port_name, port in service.ports.items():
                for text in port.callers:
                    yield name, dest, port_name, port, Caller.parse(text)


def _calling_hosts(site: Site, caller: Caller) -> tuple[SiteHost, ...]:
    match caller.kind:
        case "group":
            return site.group_hosts(caller.name)
        case "service":
            return site.hosts_of(caller.name)
        case _:
            return ()


def _sources(site: Site, caller: Caller) -> tuple[str, ...]:
    match caller.kind:
        case "any":
            return (ANY,)
        case "management":
            inside = tuple(host.name for host in site.hosts.values() if is_management(site, host.address))
            return (MANAGEMENT, *inside)
        case _:
            return tuple(host.name for host in _calling_hosts(site, caller))
