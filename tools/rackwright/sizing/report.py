"""What a site's sizing comes to: every host's budget, and the settings that follow, with their reasons."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from rackwright.catalogue.site import Site
from rackwright.errors import RackwrightError
from rackwright.site.inventory import Inventory
from rackwright.sizing.budget import HostBudget, ServiceBudget, ServiceShare, host_budget
from rackwright.sizing.explained import Explained
from rackwright.sizing.postgresql import size_postgresql
from rackwright.sizing.redis import size_redis

Parameters = Mapping[str, Explained]


@dataclass(frozen=True)
class ServiceReport:
    """A service on a host: its budget, and the settings that follow from it by name."""

    name: str
    budget: ServiceBudget
    settings: Parameters
    values: Mapping[str, str]


@dataclass(frozen=True)
class HostReport:
    """A host: its budget, and its services that have a share."""

    name: str
    budget: HostBudget
    services: tuple[ServiceReport, ...]

    def as_dict(self) -> dict[str, object]:
        """A plain dictionary for JSON, with the reasons."""
        return {
            "host": self.name,
            "memory_mb": self.budget.memory_mb,
            "cpus": self.budget.cpus,
            "reserve_mb": self.budget.explanation["reserve_mb"].as_dict(),
            "services": {
                service.name: {
                    "budget": {name: item.as_dict() for name, item in service.budget.explanation.items()},
                    "settings": {
                        name: {**item.as_dict(), "setting": service.values[name]}
                        for name, item in service.settings.items()
                    },
                }
                for service in self.services
            },
        }


def size_site(
    inventory: Inventory, site: Site, memory_mb: int | None = None, cpus: int | None = None
) -> list[HostReport]:
    """Size every host of a site from its inventory alone; no host is asked.

    Args:
        inventory: The site's inventory.
        site: The site that was made from it.
        memory_mb: Memory in MB of hosts whose host_memory_mb is not set.
        cpus: Cores of hosts whose host_cpus is not set.

    Raises:
        RackwrightError: A host whose size nobody says, or services that do not fit; names the host.
    """
    return [_size_host(inventory, site, name, memory_mb, cpus) for name in site.hosts]


def _size_host(
    inventory: Inventory, site: Site, name: str, memory_mb: int | None, cpus: int | None
) -> HostReport:
    variables = inventory.hosts[name].variables
    services = {
        service: ServiceShare(asked.memory.weight, asked.memory.minimum_mb)
        for service, asked in site.services_of(name).items()
        if asked.memory is not None
    }
    try:
        memory = _machine(variables, "host_memory_mb", memory_mb, "--memory-mb")
        budget = host_budget(memory, _machine(variables, "host_cpus", cpus, "--cpus"), services)
        reports = [_size_service(service, share, variables) for service, share in budget.services.items()]
    except RackwrightError as error:
        raise RackwrightError(f"host {name}: {error.message}", error.hint) from error
    return HostReport(name, budget, tuple(reports))


def _machine(variables: Mapping[str, Any], name: str, fallback: int | None, option: str) -> int:
    value = variables.get(name, fallback)
    if value is None:
        raise RackwrightError(
            f"{name} is not set in the inventory, and no host is asked here",
            hint=f"set it, or say with {option} what hosts have that do not say it themselves",
        )
    return int(value)


def _size_service(name: str, share: ServiceBudget, variables: Mapping[str, Any]) -> ServiceReport:
    sizer = _SIZERS.get(name)
    if sizer is None:
        return ServiceReport(name, share, {}, {})
    settings, values = sizer(share, variables)
    return ServiceReport(name, share, settings, values)


def _postgresql(share: ServiceBudget, variables: Mapping[str, Any]) -> tuple[Parameters, Mapping[str, str]]:
    names = ("connections", "storage", "wal_disk_gb")
    options = {name: variables[f"postgresql_{name}"] for name in names if f"postgresql_{name}" in variables}
    settings = size_postgresql(share.memory_mb, share.cpus, **options)
    return settings.parameters, settings.values()


def _redis(share: ServiceBudget, _variables: Mapping[str, Any]) -> tuple[Parameters, Mapping[str, str]]:
    settings = size_redis(share.memory_mb, share.cpus)
    return settings.parameters, settings.values()


_SIZERS: Mapping[str, Callable[[ServiceBudget, Mapping[str, Any]], tuple[Parameters, Mapping[str, str]]]] = {
    "postgresql": _postgresql,
    "redis": _redis,
}
