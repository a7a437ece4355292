"""Addresses, routes, names, package sources and proxies."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from rackwright.preflight.finding import HostFinding
from rackwright.preflight.observations import Observations, Source
from rackwright.preflight.subject import Subject

_DOCKER_INTERFACES = ("docker", "br-", "veth")
_SOURCE_MENDS = {
    "name": "its name does not resolve here: set dns_servers, or package_proxy so that the proxy resolves it",
    "refused": "nothing listens there: check the URL, or that the proxy runs",
    "timeout": "something on the way drops it: open the way, or set package_proxy to a proxy within reach",
    "unreachable": "there is no route: add one, or set package_proxy to a proxy within reach",
    "tls": "its certificate is not trusted here: install its authority, or use http (apt checks signatures)",
    "status": "the archive has no such release: correct the line in /etc/apt, or the mirror's path",
    "proxy": "give the proxy's user and password in package_proxy, or let the host pass without",
    "medium": "comment the cdrom line out in /etc/apt/sources.list",
    "other": "look at it by hand: `apt-get update` on the host",
}


def address_findings(subject: Subject, seen: Observations) -> Iterator[HostFinding]:
    """Yield whether the host has its address, and what overlaps the site's networks."""
    if seen.interfaces is None:
        yield subject.finding(
            "info",
            "address",
            "`ip` is not installed",
            subject.address,
            "nothing: iproute2 comes with the role base",
        )
        return
    own = {
        address.partition("/")[0]: interface.name
        for interface in seen.interfaces
        for address in interface.addresses
    }
    home = own.get(subject.address)
    if home is None:
        yield subject.finding(
            "error",
            "address",
            f"it has {', '.join(sorted(set(own) - {'127.0.0.1', '::1'})) or 'none'}",
            f"{subject.address} on an interface: services listen there",
            "write the address that the machine itself has (no NAT in between) as ansible_host",
        )
    else:
        yield subject.ok("address", f"{subject.address} on {home}", f"{subject.address} on an interface")
    overlaps = list(_overlaps(subject, seen, home))
    yield from overlaps
    if not overlaps:
        yield subject.ok("overlap", "none", "networks of the site on their own")


def _overlaps(subject: Subject, seen: Observations, home: str | None) -> Iterator[HostFinding]:
    needed = "networks of the site on their own"
    zones = {name: ipaddress.ip_network(cidr) for name, cidr in subject.zones.items()}
    told: set[tuple[str, str]] = set()
    networks = [
        (interface.name, address) for interface in seen.interfaces or [] for address in interface.addresses
    ]
    networks += [
        (route.interface, route.network) for route in seen.routes if not route.network.endswith("/0")
    ]
    for interface, text in networks:
        network = ipaddress.ip_network(text, strict=False)
        for zone, cidr in zones.items():
            if interface == home or network.version != cidr.version or not network.overlaps(cidr):
                continue
            if (interface, zone) in told or network.is_loopback:
                continue
            told.add((interface, zone))
            docker = interface.startswith(_DOCKER_INTERFACES)
            other_zone = not docker and zone != subject.zone
            yield subject.finding(
                "warning" if other_zone else "error",
                "overlap",
                f"{network} on {interface} overlaps zone {zone} ({cidr})",
                needed,
                "let Docker use other networks: docker_address_pools"
                if docker
                else f"take the address or the route away: traffic to zone {zone} would go past the firewalls"
                if other_zone
                else f"take it away: hosts of zone {zone} would be looked for on {interface}",
            )
    if "docker" not in subject.services:
        return
    for interface, text in networks:
        network = ipaddress.ip_network(text, strict=False)
        for pool in subject.docker_pools:
            parsed = ipaddress.ip_network(pool, strict=False)
            if interface.startswith(_DOCKER_INTERFACES) or network.version != parsed.version:
                continue
            if network.overlaps(parsed) and (interface, pool) not in told:
                told.add((interface, pool))
                yield subject.finding(
                    "error",
                    "overlap",
                    f"{network} on {interface} overlaps Docker's pool {pool}",
                    needed,
                    "choose another network for docker_address_pools",
                )


def dns_findings(subject: Subject, seen: Observations) -> Iterator[HostFinding]:
    """Yield whether the site's name servers answer, and whether names that are needed resolve."""
    good = True
    for server in seen.dns:
        if not server.ok:
            good = False
            yield subject.finding(
                "error",
                "dns",
                f"{server.server}: {server.detail}",
                "an answer from every one of dns_servers",
                "correct dns_servers, open UDP and TCP port 53 on the way, or allow the host at the server",
            )
    for name in seen.names:
        if not name.ok:
            good = False
            yield subject.finding(
                "error",
                "dns",
                f"{name.name}: {name.detail}",
                "names of the package sources that resolve",
                "set the host's resolver (/etc/resolv.conf) and the site's dns_servers, or package_proxy",
            )
    others = sorted(set(seen.resolvers) - set(subject.dns_servers))
    outside = [server for server in others if not ipaddress.ip_address(server.partition("%")[0]).is_loopback]
    if subject.dns_servers and outside:
        good = False
        yield subject.finding(
            "warning",
            "dns",
            f"/etc/resolv.conf asks {', '.join(outside)}",
            f"dns_servers: {', '.join(subject.dns_servers)}",
            "add it to dns_servers or take it out of resolv.conf: the zone lets hosts ask dns_servers alone",
        )
    if good:
        asked = ", ".join(server.server for server in seen.dns)
        yield subject.ok("dns", f"{asked} answer" if asked else "no names needed", "names resolve")


def source_findings(subject: Subject, seen: Observations) -> Iterator[HostFinding]:
    """Yield package sources and mirrors that do not answer, or that something answers for."""
    if seen.own_sources and not seen.sources:
        yield subject.finding(
            "error",
            "mirrors",
            "no package source in /etc/apt",
            "the distribution's packages",
            "write one to /etc/apt/sources.list.d, e.g. URIs: <your mirror> in debian.sources",
        )
    for source in (*seen.sources, *seen.urls):
        via = f" through {source.proxy}" if source.proxy else ""
        needed = f"an answer of {place(source.url)}"
        if source.kind == "ok":
            yield subject.ok("mirrors", f"it answers{via} in {source.seconds:.1f} s", needed)
        elif source.kind == "intercepted":
            yield subject.finding(
                "error",
                "proxy",
                f"another answer{via}: {source.detail}",
                f"the answer of {place(source.url)} itself",
                "a log-in page or a filter answers in its place: let the host pass, or set package_proxy",
            )
        else:
            yield subject.finding(
                "error", "mirrors", f"{source.detail or source.kind}{via}", needed, _source_mend(source)
            )


def place(url: str) -> str:
    """Return what an operator knows a package source by: its URL in /etc/apt, and the suite."""
    base, found, rest = url.partition("/dists/")
    return f"{base} {rest.removesuffix('/InRelease')}" if found else url


def _source_mend(source: Source) -> str:
    if source.proxy and source.kind in {"refused", "timeout", "unreachable", "name"}:
        return "check package_proxy: the proxy must run and let the host in, and reach the mirror itself"
    return _SOURCE_MENDS[source.kind]


def proxy_findings(subject: Subject, seen: Observations) -> Iterator[HostFinding]:
    """Yield proxies that are set on the host and would stand between the services, or before apt."""
    quiet = True
    exempt = {
        part.strip()
        for entry in seen.proxies
        if entry.name.lower() == "no_proxy"
        for part in entry.value.split(",")
    }
    for entry in seen.proxies:
        apt = entry.name.startswith("Acquire::")
        if apt and subject.package_proxy:
            # Ours is written anew by every run.
            ours = entry.where.endswith("00rackwright-proxy")
            if not ours and entry.value.rstrip("/") != subject.package_proxy.rstrip("/"):
                quiet = False
                yield subject.finding(
                    "error",
                    "proxy",
                    f"{entry.where} sets {entry.name} to {entry.value}",
                    f"package_proxy: {subject.package_proxy}",
                    f"remove it from {entry.where}: the zone lets hosts reach package_proxy alone",
                )
        elif entry.name.lower() in {"http_proxy", "https_proxy", "all_proxy"}:
            missing = [cidr for cidr in subject.zones.values() if cidr not in exempt and "*" not in exempt]
            if missing:
                quiet = False
                yield subject.finding(
                    "warning",
                    "proxy",
                    f"{entry.where} sets {entry.name} to {entry.value}",
                    "no proxy between the site's hosts",
                    f"add no_proxy={','.join((*missing, 'localhost'))} beside it, or remove it",
                )
    if quiet:
        yield subject.ok("proxy", "none in the way", "no proxy in the way")
