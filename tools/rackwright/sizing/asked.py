"""What a sizing function is asked, and what it answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from rackwright.sizing.budget import ServiceBudget
from rackwright.sizing.explained import Explained, Scalar
from rackwright.sizing.intent import Intent
from rackwright.sizing.machine import Machine
from rackwright.sizing.refusal import Change, RefusedError

MB_PER_CONNECTION = 16


@dataclass(frozen=True)
class Asked:
    """All that the numbers of one service on one host may follow from.

    Attributes:
        service: its name in the catalogue.
        share: its part of memory and cores; None for a service that lives in the system's reserve.
        machine: the host.
        intent: what the tier wants.
        hosts: how many hosts of the site run a service, by name.
        neighbours: all services of this host, this one included.
        disk_gb: its part of the data disk in GB; None where the disk is not known.
        vram_mb: its part of each GPU in MiB; None where it uses none or nothing is known of them.
        gpu_fraction: the same as a part of one; None for a service that uses no GPU.
        options: the host's variables, of which the operator may have set some.
    """

    service: str
    share: ServiceBudget | None
    machine: Machine
    intent: Intent
    hosts: Mapping[str, int] = field(default_factory=dict)
    neighbours: frozenset[str] = frozenset()
    disk_gb: int | None = None
    vram_mb: int | None = None
    gpu_fraction: float | None = None
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def memory_mb(self) -> int:
        """Its memory in MB."""
        return self._budget.memory_mb

    @property
    def cpus(self) -> int:
        """The cores that it plans its workers for."""
        return self._budget.cpus

    @property
    def _budget(self) -> ServiceBudget:
        if self.share is None:
            raise RefusedError(
                f"{self.service} has no share of its host",
                [Change("move", self.service, f"give services.{self.service} a `memory` in the catalogue")],
            )
        return self.share

    def option(self, name: str, least: int = 1) -> int | None:
        """Return a number that the operator has set; None where it was left open.

        Args:
            name: The variable.
            least: The smallest value that makes sense.

        Raises:
            RefusedError: It is no whole number, or too small.
        """
        value = self.options.get(name)
        if value is None or value == "":
            return None
        try:
            number = int(value)
        except (TypeError, ValueError):
            number = least - 1
        if isinstance(value, bool) or number < least:
            raise RefusedError(
                f"{name} is {value!r}: it must be a whole number, {least} or more",
                [Change(name, least, f"set {name} to {least} or more, or leave it out to have it sized")],
            )
        return number


@dataclass(frozen=True)
class Sized:
    """The numbers of one service on one host.

    Attributes:
        parameters: the reason of each, by name.
        values: each as the role or the program takes it.
        connections: how many connections it accepts or opens, where that is limited.
    """

    parameters: Mapping[str, Explained]
    values: Mapping[str, Scalar]
    connections: Explained | None = None


def as_they_are(parameters: Mapping[str, Explained], connections: Explained | None = None) -> Sized:
    """Return numbers that the role takes without a unit."""
    return Sized(parameters, {name: item.value for name, item in parameters.items()}, connections)


def asked_for(name: str, value: int, unit: str = "") -> Explained:
    """Explain a number that the operator has set."""
    return Explained(value, unit, "as asked", {name: value}, "the site's inventory")


def connections_by_memory(asked: Asked, option: str, fewest: int, most: int, source: str) -> Explained:
    """Return a server's connections: what the operator has set, or one for each 16 MB of its share.

    Args:
        asked: What the sizing function is asked.
        option: Name of the operator's option.
        fewest: Never fewer than so many.
        most: Never more.
        source: Where the rule is explained.
    """
    given = asked.option(option)
    if given is not None:
        return asked_for(option, given)
    count = min(most, max(fewest, asked.memory_mb // MB_PER_CONNECTION))
    rule = f"one for each {MB_PER_CONNECTION} MB, {fewest} to {most}"
    return Explained(count, "", rule, {"memory_mb": asked.memory_mb}, source)
