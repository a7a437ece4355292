"""What a site chose before: units and containers of services that are not chosen any more."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

Services = Mapping[str, Mapping[str, Any]]


def former_units(services: Services, variable: str, chosen: str | None) -> list[str]:
    """Returns the units of other choices than this one, sockets first; none that the choice itself needs.

    Args:
        services: The catalogue's services, as `services.yml` says them.
        variable: What chooses among them, such as ``vector_store``.
        chosen: Its value here.
    """
    needed = {unit for service in _choices(services, variable, chosen) for unit in _units(service)}
    left = {unit for service in _others(services, variable, chosen) for unit in _units(service)} - needed
    # A service whose socket still listens would be started again by the next caller; most have none.
    sockets = {f"{unit.removesuffix('.service')}.socket" for unit in left if unit.endswith(".service")}
    return sorted(sockets) + sorted(left)


def former_containers(services: Services, variable: str, chosen: str | None) -> list[str]:
    """Returns the names of the containers of other choices, sorted; arguments as of `former_units`."""
    return sorted(
        str(service["container"]) for service in _others(services, variable, chosen) if "container" in service
    )


def _choices(services: Services, variable: str, chosen: str | None) -> Iterator[Mapping[str, Any]]:
    return (service for service in services.values() if service.get("when", {}).get(variable) == chosen)


def _others(services: Services, variable: str, chosen: str | None) -> Iterator[Mapping[str, Any]]:
    return (
        service for service in services.values() if service.get("when", {}).get(variable, chosen) != chosen
    )


def _units(service: Mapping[str, Any]) -> set[str]:
    """Its own unit, and those whose journal is its log: a program and the front before it."""
    logs = service.get("logs", [])
    journals = [log.get("journal") for log in logs] if isinstance(logs, list) else []
    return {str(unit) for unit in [service.get("unit"), *journals] if unit}
