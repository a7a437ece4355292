"""What a host's firewall lets out or across itself besides the flows between services."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field

from rackwright.catalogue.edge import GROUP
from rackwright.catalogue.model import Caller
from rackwright.errors import RackwrightError
from rackwright.site.addresses import Network, single

if TYPE_CHECKING:
    from rackwright.catalogue.site import Site

Plan = dict[str, Any]
# Of the proxies that the edge may be, by which the outside speaks with the platform; Debian and Ubuntu have
# it from the start.
EDGE_USER = "www-data"


class Egress(BaseModel):
    """Something outside that hosts may call: a mirror, an ACME server.

    Attributes:
        name: For the rules' comments.
        networks: Where it is.
        ports: Its ports.
        protocol: tcp or udp.
        groups: Inventory groups whose hosts may call it; none: every host.
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)
    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]*$")]
    networks: Annotated[list[Network], Field(min_length=1)]
    ports: Annotated[list[Annotated[int, Field(ge=1, le=65535)]], Field(min_length=1)]
    protocol: Literal["tcp", "udp"] = "tcp"
    groups: list[str] = Field(default=[])


def to_provider(provider: Mapping[str, Any]) -> Iterable[Egress]:
    """Return what the app's hosts may call of an identity provider (`sign_in_provider`); nothing for none."""
    if provider.get("issuer"):
        ports = provider.get("ports") or [urlsplit(provider["issuer"]).port or 443]
        yield Egress(name="sign_in", networks=provider["networks"], ports=ports, groups=["app"])


def outbound_site(site: Site, host: str) -> Iterable[Plan]:
    """Return what a host may open besides flows: packages, names, time, what the site adds."""
    if site.package_proxy:
        address, port = proxy_endpoint(site.package_proxy)
        yield out("package_proxy", "http", "tcp", port, [single(address)])
    if site.dns_servers:
        servers = [single(server) for server in site.dns_servers]
        yield out("dns", "dns", "udp", 53, servers)
        yield out("dns", "dns", "tcp", 53, servers)
    if site.ntp_servers:
        yield out("ntp", "ntp", "udp", 123, [single(server) for server in site.ntp_servers])
    for allowed in site.egress:
        if not allowed.groups or any(host in site.groups.get(group, ()) for group in allowed.groups):
            for port in allowed.ports:
                yield out(allowed.name, str(port), allowed.protocol, port, list(allowed.networks))


def out(service: str, port_name: str, protocol: str, port: int, destinations: list[str]) -> Plan:
    """Return an entry of `firewall.outbound`."""
    return {
        "service": service,
        "port_name": port_name,
        "protocol": protocol,
        "port": port,
        "destinations": destinations,
    }


def proxy_endpoint(url: str) -> tuple[str, int]:
    """Return address and port of the package proxy's URL.

    Raises:
        RackwrightError: It is no http(s) URL with an address: the firewall opens addresses, not names.
    """
    try:
        parts = urlsplit(url)
        port = parts.port or {"http": 80, "https": 443}[parts.scheme]
        return str(ipaddress.ip_address(parts.hostname or "")), port
    except (ValueError, KeyError) as error:
        raise RackwrightError(
            f"package_proxy is {url!r}; it must be http://<address>:<port> with an address, not a name",
            hint='write e.g. package_proxy: "http://10.0.40.5:3142", or "" when hosts have their own mirrors',
        ) from error


def beside(site: Site, host: str) -> list[Plan]:
    """Return the services of a host that a container of the same host may call.

    Their packets come over a bridge; a service that is no container calls over the loopback.
    """
    here = site.services_of(host)
    containers = {name for name, service in here.items() if service.container is not None}

    def calls(caller: Caller) -> bool:
        if caller.kind == "group":
            return any(here[name].group == caller.name for name in containers)
        return caller.kind == "service" and caller.name in containers

    return [
        {"service": name, "port_name": port_name, "protocol": port.protocol, "port": port.port}
        for name, service in here.items()
        for port_name, port in service.ports.items()
        if any(calls(Caller.parse(text)) for text in port.callers)
    ]


def confined(site: Site, host: str) -> list[Plan]:
    """Return the edge's account on a host that runs it, with the ports of that host that it may call."""
    if host not in site.groups.get(GROUP, ()):
        return []
    here = site.services_of(host)
    ports = {service.ports[route.port].port for service in here.values() for route in service.edge}
    # And of the edge's own, those that are for nobody else.
    own = (port for service in here.values() if service.group == GROUP for port in service.ports.values())
    ports |= {port.port for port in own if port.loopback}
    return [{"user": EDGE_USER, "ports": sorted(ports)}]
