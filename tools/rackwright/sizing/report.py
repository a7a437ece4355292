"""What a site's sizing comes to: every number of every host with its reason; no host is asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from rackwright.catalogue.site import Site
from rackwright.errors import RackwrightError
from rackwright.site.inventory import Inventory
from rackwright.sizing.explained import Explained
from rackwright.sizing.host import HostSizing, ServiceSizing
from rackwright.sizing.placement import request_of
from rackwright.sizing.remedies import size_host_or_explain
from rackwright.sizing.variables import intent_from, machine_from, options_of


@dataclass(frozen=True)
class HostReport:
    """A host: its sizing, or why there is none.

    Attributes:
        name: The host.
        sizing: Every number; None where there is none.
        problem: Why there is none: nobody says what the host has, or its services do not fit.
    """

    name: str
    sizing: HostSizing | None = None
    problem: RackwrightError | None = None

    def as_dict(self) -> dict[str, object]:
        """A plain dictionary for JSON, with the reasons."""
        if self.sizing is None:
            problem = self.problem or RackwrightError("")
            return {"host": self.name, "problem": {"message": problem.message, "hint": problem.hint}}
        machine, budget = self.sizing.request.machine, self.sizing.budget
        return {
            "host": self.name,
            "tier": self.sizing.request.intent.tier,
            "memory_mb": budget.memory_mb,
            "cpus": budget.cpus,
            "disk_gb": machine.disk_gb,
            "storage": machine.storage,
            "gpus": None
            if machine.gpus is None
            else [{"model": gpu.model, "vram_mb": gpu.vram_mb} for gpu in machine.gpus],
            "sources": dict(machine.sources or {}),
            "reserve_mb": budget.explanation["reserve_mb"].as_dict(),
            "services": {
                name: _service(service)
                for name, service in self.sizing.services.items()
                if service.parts or service.settings.parameters
            },
            "kernel": {
                name: item.as_dict()
                for part in (self.sizing.kernel.network, self.sizing.kernel.machine)
                for name, item in part.items()
            },
            "logs": {name: item.as_dict() for name, item in self.sizing.logs.parameters.items()},
        }


def _service(service: ServiceSizing) -> dict[str, object]:
    return {
        "budget": {name: item.as_dict() for name, item in service.parts.items()},
        "settings": {
            name: {**item.as_dict(), "setting": service.settings.values[name]}
            for name, item in service.settings.parameters.items()
        },
    }


def size_site(
    inventory: Inventory, site: Site, memory_mb: int | None = None, cpus: int | None = None
) -> list[HostReport]:
    """Size every host of a site from its inventory alone.

    Args:
        inventory: The site's inventory.
        site: The site that was made from it.
        memory_mb: Memory in MB of hosts that neither the inventory nor a scan describes.
        cpus: Cores of such hosts.

    Returns:
        One report for each host; those that cannot be sized say why.

    Raises:
        FindingsError: The site's tier does not exist, or an override of it is wrong.
    """
    intent = intent_from(inventory.site_variables(), site.catalogue.services)
    given = {"host_memory_mb": memory_mb, "host_cpus": cpus}
    fallback = {name: value for name, value in given.items() if value is not None}
    reports = []
    for name in site.hosts:
        variables = inventory.hosts[name].variables
        try:
            machine = machine_from(variables, fallback=fallback)
            request = request_of(site, name, machine, intent, options_of(variables))
            reports.append(HostReport(name, size_host_or_explain(request)))
        except RackwrightError as error:
            problem = RackwrightError(f"host {name}: {error.message}", error.hint)
            reports.append(HostReport(name, problem=problem))
    return reports


def every_number(sizing: HostSizing) -> Mapping[str, Mapping[str, Explained]]:
    """Return all numbers of a host by service, those of the kernel and of the system's reserve included."""
    found: dict[str, dict[str, Explained]] = {"system": dict(sizing.budget.explanation)}
    for name, service in sizing.services.items():
        found[name] = {**service.parts, **service.settings.parameters}
    found["kernel"] = {**sizing.kernel.network, **sizing.kernel.machine}
    found["logs"] = dict(sizing.logs.parameters)
    return found
