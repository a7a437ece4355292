"""The host budget: how the services of one machine share its memory and cores.

Peers size a database as though it owned the machine. Here several services may stand on one host, so
each gets a share of what is left after the system's reserve, and sizes itself from that share alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from rackwright.sizing.explained import Explained
from rackwright.sizing.refusal import Change, RefusedError
from rackwright.sizing.shares import ServiceShare, pinned

__all__ = [
    "HostBudget",
    "ServiceBudget",
    "ServiceShare",
    "host_budget",
    "smallest_memory_mb",
    "system_reserve_mb",
]

SMALL_MACHINE_MB = 4096
SMALLEST_MACHINE_MB = 256
RESERVE_MB = 512
SMALL_RESERVE_MB = 192
_SOURCE = "docs/sizing.md, host budget"


@dataclass(frozen=True)
class ServiceBudget:
    """What one service gets.

    Attributes:
        memory_mb: the most memory that it may count on, in MB.
        cpus: the cores that it plans its workers for, a whole number. Not a limit: a busy service may use
            idle cores.
        cores: its part of the cores; the parts of all services together are the machine's.
        explanation: the reason of each, by attribute name.
    """

    memory_mb: int
    cpus: int
    cores: float
    explanation: Mapping[str, Explained]


@dataclass(frozen=True)
class HostBudget:
    """How one machine is shared out. All memory in MB.

    Attributes:
        memory_mb: what the machine has.
        reserve_mb: what stays for the system, for services too small to ask for a share, and for the
            page cache's bare minimum.
        cpus: cores of the machine.
        services: the share of each service, by name.
        explanation: the reason of the reserve.
    """

    memory_mb: int
    reserve_mb: int
    cpus: int
    services: Mapping[str, ServiceBudget]
    explanation: Mapping[str, Explained]

    def as_dict(self) -> dict[str, object]:
        """The numbers alone, as `host_plan.budget` holds them."""
        return {
            "memory_mb": self.memory_mb,
            "reserve_mb": self.reserve_mb,
            "cpus": self.cpus,
            "services": {
                name: {"memory_mb": share.memory_mb, "cpus": share.cpus}
                for name, share in self.services.items()
            },
        }


def system_reserve_mb(memory_mb: int) -> int:
    """The memory that no service gets, in MB.

    A tenth of the machine and at least 512 MB. Under 4 GB that would starve the services, so an eighth
    is kept there (the two rules meet at 4 GB), and never less than 192 MB: what an idle Debian with
    SSH, journald, the firewall and the node exporter uses, with room for one apt run.
    """
    if memory_mb < SMALL_MACHINE_MB:
        return max(SMALL_RESERVE_MB, memory_mb // 8)
    return max(RESERVE_MB, memory_mb // 10)


def host_budget(memory_mb: int, cpus: int, services: Mapping[str, ServiceShare]) -> HostBudget:
    """Shares a machine's memory and cores among the services on it.

    Memory goes by weight; a service whose part would be under its minimum gets the minimum and the
    others share the rest. More memory never makes a share smaller. Whole MB are handed out, so a few
    MB may stay unused; the sum never exceeds the machine less the reserve.

    Args:
        memory_mb: the machine's memory in MB.
        cpus: the machine's cores.
        services: what each service asks, by name.

    Raises:
        RackwrightError: for a machine or a share that makes no sense, or when the minimums do not fit;
            the hint names the smallest change that would.
    """
    _check(memory_mb, cpus, services)
    reserve = system_reserve_mb(memory_mb)
    usable = memory_mb - reserve
    wanted = sum(share.minimum_mb for share in services.values())
    if wanted > usable:
        raise _does_not_fit(memory_mb, usable, wanted, services)
    at_minimum = pinned(usable, services)
    rest = usable - sum(services[name].minimum_mb for name in at_minimum)
    weights = sum(share.weight for name, share in services.items() if name not in at_minimum)
    all_weights = sum(share.weight for share in services.values())
    budgets: dict[str, ServiceBudget] = {}
    for name, share in services.items():
        memory = _memory(share, name in at_minimum, rest, weights)
        workers, cores = _cores(share, cpus, all_weights)
        budgets[name] = ServiceBudget(
            int(memory.value),
            int(workers.value),
            float(cores.value),
            {"memory_mb": memory, "cores": cores, "cpus": workers},
        )
    explanation = {"reserve_mb": _explain_reserve(memory_mb, reserve)}
    return HostBudget(memory_mb, reserve, cpus, budgets, explanation)


def _check(memory_mb: int, cpus: int, services: Mapping[str, ServiceShare]) -> None:
    if memory_mb < SMALLEST_MACHINE_MB:
        wanted = sum(share.minimum_mb for share in services.values())
        raise RefusedError(
            f"host_memory_mb is {memory_mb}: a host needs {SMALLEST_MACHINE_MB} MB at least",
            [
                Change(
                    "host_memory_mb",
                    smallest_memory_mb(wanted),
                    "give the machine more memory, or correct host_memory_mb (in MB) in the inventory",
                )
            ],
        )
    if cpus < 1:
        text = "correct host_cpus in the inventory, or leave it out to use what the machine reports"
        raise RefusedError(
            f"host_cpus is {cpus}: a host has one core at least", [Change("host_cpus", 1, text)]
        )
    for name, share in services.items():
        for key in ("weight", "minimum_mb"):
            if getattr(share, key) < 1:
                text = f"write a whole number from 1 up, or leave `memory` out if {name} needs no share"
                raise RefusedError(
                    f"services.{name}.memory.{key} is {getattr(share, key)}: it must be 1 or more",
                    [Change(f"services.{name}.memory.{key}", 1, text)],
                )


def _memory(share: ServiceShare, at_minimum: bool, rest: int, weights: int) -> Explained:
    inputs: dict[str, int | float | str | bool] = {"weight": share.weight, "minimum_mb": share.minimum_mb}
    if at_minimum:
        rule = "the minimum: the part by weight would be smaller"
        return Explained(share.minimum_mb, "MB", rule, inputs, _SOURCE)
    inputs |= {"shared_mb": rest, "weights": weights}
    rule = "shared_mb x weight / weights"
    return Explained(rest * share.weight // weights, "MB", rule, inputs, _SOURCE)


def _cores(share: ServiceShare, cpus: int, weights: int) -> tuple[Explained, Explained]:
    """Return the workers to plan for, and the exact part."""
    inputs: dict[str, int | float | str | bool] = {"cpus": cpus, "weight": share.weight, "weights": weights}
    part = cpus * share.weight * 100 // weights / 100
    cores = Explained(part, "cores", "cpus x weight / weights", inputs, _SOURCE)
    # Cores are lent, not handed over (the kernel shares them by the microsecond), so workers are rounded up.
    workers = -(-cpus * share.weight // weights)
    return Explained(workers, "cores", "the part of the cores, rounded up", inputs, _SOURCE), cores


def _explain_reserve(memory_mb: int, reserve: int) -> Explained:
    if memory_mb < SMALL_MACHINE_MB:
        rule = f"memory_mb / 8, at least {SMALL_RESERVE_MB} MB (a machine under 4 GB)"
    else:
        rule = f"memory_mb / 10, at least {RESERVE_MB} MB"
    return Explained(reserve, "MB", rule, {"memory_mb": memory_mb}, _SOURCE)


def _does_not_fit(
    memory_mb: int, usable: int, wanted: int, services: Mapping[str, ServiceShare]
) -> RefusedError:
    asks = ", ".join(f"{name} {share.minimum_mb}" for name, share in services.items())
    lack = wanted - usable
    enough = smallest_memory_mb(wanted)
    changes = [
        Change(
            "host_memory_mb",
            enough,
            f"give it {enough} MB (host_memory_mb)",
        )
    ]
    movable = [(share.minimum_mb, name) for name, share in services.items() if share.minimum_mb >= lack]
    if movable and len(services) > 1:
        minimum, name = min(movable)
        changes.append(Change("move", name, f"move {name} ({minimum} MB) to another host"))
    return RefusedError(
        f"{memory_mb} MB are {lack} MB too few: {usable} MB are left after the system's reserve, "
        f"and the services need {wanted} MB at least ({asks})",
        changes,
    )


def smallest_memory_mb(wanted: int) -> int:
    """The smallest machine, in MB, that has `wanted` MB left after the system's reserve."""
    memory_mb = max(SMALLEST_MACHINE_MB, wanted)
    while memory_mb - system_reserve_mb(memory_mb) < wanted:
        memory_mb += wanted - (memory_mb - system_reserve_mb(memory_mb))
    return memory_mb
