"""The solver: one host's machine, placement and tier give every number of every service on it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from rackwright.sizing.asked import Asked, Sized
from rackwright.sizing.budget import HostBudget, ServiceShare, host_budget
from rackwright.sizing.disk import disk_budget
from rackwright.sizing.explained import Explained
from rackwright.sizing.gpu import GpuPart, gpu_budget
from rackwright.sizing.intent import Intent
from rackwright.sizing.kernel import KernelSettings, size_kernel
from rackwright.sizing.logs import LogNeeds, size_logs
from rackwright.sizing.machine import Machine
from rackwright.sizing.services import postgresql_of, sizer_of


@dataclass(frozen=True)
class HostRequest:
    """A host to be sized.

    Attributes:
        machine: what it has.
        services: its services; the share of memory that each asks, None for one that lives in the reserve.
        intent: what the tier wants.
        hosts: how many hosts of the site run a service, by name.
        options: the host's variables, of which the operator may have set some that sizing reads.
        logs: what of it writes logs.
    """

    machine: Machine
    services: Mapping[str, ServiceShare | None]
    intent: Intent = field(default_factory=Intent)
    hosts: Mapping[str, int] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    logs: LogNeeds = field(default_factory=LogNeeds)

    def without(self, service: str) -> HostRequest:
        """Return the same host with one service fewer; it runs on another one."""
        rest = {name: share for name, share in self.services.items() if name != service}
        return replace(self, services=rest)


@dataclass(frozen=True)
class ServiceSizing:
    """What one service gets, and what it is told.

    Attributes:
        name: the service.
        parts: its parts of the host by name (memory_mb, cores, cpus, disk_gb, gpu_fraction, vram_mb,
            connections), as far as it has some.
        settings: its numbers.
    """

    name: str
    parts: Mapping[str, Explained]
    settings: Sized

    def as_dict(self) -> dict[str, object]:
        """The parts alone, without reasons."""
        return {name: item.value for name, item in self.parts.items()}


@dataclass(frozen=True)
class HostSizing:
    """Every number of one host."""

    request: HostRequest
    budget: HostBudget
    services: Mapping[str, ServiceSizing]
    kernel: KernelSettings
    logs: Sized

    def budget_dict(self) -> dict[str, object]:
        """The budget for plays: `services` has memory_mb and cpus, `parts` all that each service gets."""
        return {
            **self.budget.as_dict(),
            "parts": {name: sizing.as_dict() for name, sizing in self.services.items() if sizing.parts},
        }

    def settings_dict(self) -> dict[str, object]:
        """The numbers for plays: service -> setting -> value, `kernel` and `logs`."""
        found: dict[str, object] = {
            name: dict(sizing.settings.values)
            for name, sizing in self.services.items()
            if sizing.settings.values
        }
        return {**found, "kernel": self.kernel.as_dict(), "logs": dict(self.logs.values)}


def size_host(request: HostRequest) -> HostSizing:
    """Size everything on a host.

    Raises:
        RefusedError: It cannot work. The changes are those of the part that refused; `remedies` finds those
            of the host as a whole.
    """
    asked_shares = {name: share for name, share in request.services.items() if share is not None}
    shares = {
        name: replace(share, weight=request.intent.shares.get(name, share.weight))
        for name, share in asked_shares.items()
    }
    budget = host_budget(request.machine.memory_mb, request.machine.cpus, shares)
    disks = disk_budget(request.machine.disk_gb, request.services)
    gpus = gpu_budget(request.machine, {name: share.weight for name, share in shares.items()})
    services = {}
    huge_pages = 0
    for name in request.services:
        asked = _asked(request, name, budget, disks, gpus)
        services[name] = _size(asked, disks.get(name), gpus.get(name))
        if name == "postgresql" and request.options.get("postgresql_huge_pages_reserved"):
            huge_pages = postgresql_of(asked).huge_pages
    kernel = size_kernel(request.machine, request.intent, frozenset(request.services), huge_pages)
    space = request.options.get("log_space_mb")
    logs = size_logs(request.machine, request.logs, request.intent, None if space is None else int(space))
    return HostSizing(request, budget, services, kernel, logs)


def _asked(
    request: HostRequest,
    name: str,
    budget: HostBudget,
    disks: Mapping[str, Explained],
    gpus: Mapping[str, GpuPart],
) -> Asked:
    gpu, disk = gpus.get(name), disks.get(name)
    return Asked(
        service=name,
        share=budget.services.get(name),
        machine=request.machine,
        intent=request.intent,
        hosts=request.hosts,
        neighbours=frozenset(request.services),
        disk_gb=None if disk is None else int(disk.value),
        vram_mb=None if gpu is None or gpu.vram_mb is None else int(gpu.vram_mb.value),
        gpu_fraction=None if gpu is None else float(gpu.fraction.value),
        options=request.options,
    )


def _size(asked: Asked, disk: Explained | None, gpu: GpuPart | None) -> ServiceSizing:
    sizer = sizer_of(asked.service, asked.share is not None)
    settings = Sized({}, {}) if sizer is None else sizer(asked)
    parts: dict[str, Explained] = {}
    if asked.share is not None:
        parts |= asked.share.explanation
    if disk is not None:
        parts["disk_gb"] = disk
    if gpu is not None:
        parts["gpu_fraction"] = gpu.fraction
        if gpu.vram_mb is not None:
            parts["vram_mb"] = gpu.vram_mb
    if settings.connections is not None:
        parts["connections"] = settings.connections
    return ServiceSizing(asked.service, parts, settings)
