"""What the edge passes to the services of a site, from the catalogue's key `edge`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from rackwright.catalogue.health import HttpHealth
from rackwright.catalogue.model import Port, Service

if TYPE_CHECKING:
    from rackwright.catalogue.site import Site

# The names before the domain that the edge's certificate is for, whatever a site runs of them.
EDGE_NAMES = ("api", "ai", "dify", "monitoring")
GROUP = "edge"


def called_by_edge(service: Service, ports: Mapping[str, Port]) -> dict[str, Port]:
    """Return a service's ports, with the edge among the callers of those that it passes requests to."""
    passed = {route.port for route in service.edge}
    caller = f"group:{GROUP}"
    return {
        name: replace(port, callers=(*port.callers, caller))
        if name in passed and caller not in port.callers
        else port
        for name, port in ports.items()
    }


def edge_routes(site: Site) -> list[dict[str, Any]]:
    """Return every route to a service that the site runs, in the catalogue's order.

    Each is the catalogue's route with `service`, `tls`, `health` (the path that is answered with 200 where
    all is well, empty where that is asked in another way) and `servers` (host, address, port).
    """
    return [
        {
            **asdict(route),
            "service": name,
            "tls": port.tls,
            "health": _health_path(service, route.port),
            "servers": [
                {"host": host.name, "address": host.address, "port": port.port}
                for host in site.hosts_of(name)
            ],
        }
        for name, service in site.catalogue.services.items()
        if service.edge and site.hosts_of(name)
        for route in service.edge
        for port in (service.ports[route.port],)
    ]


def _health_path(service: Service, port: str) -> str:
    health = service.health
    if isinstance(health, HttpHealth) and health.port == port and health.status == HTTPStatus.OK:
        return health.path
    return ""
