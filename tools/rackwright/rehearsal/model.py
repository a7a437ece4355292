"""What a rehearsal measures, and what it is measured against."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from types import MappingProxyType
from typing import Any


@dataclass(frozen=True)
class Target:
    """How long a recovery may take and what it may lose, in seconds; `what` says what has failed."""

    what: str
    rto: int
    rpo: int


# The plan's recovery times. Its recovery points of a day are ours of five minutes.
TARGETS: Mapping[str, Target] = MappingProxyType(
    {
        "container": Target("one service is killed", 5 * 60, 0),
        "database": Target("the database is lost", 30 * 60, 300),
        "service": Target("all services of a host are lost", 2 * 3600, 300),
        "server": Target("a server is lost", 4 * 3600, 300),
    }
)


@dataclass(frozen=True)
class Phase:
    """One phase: its name, when it began (seconds after the failure), how long it took, whether it counts."""

    name: str
    start: float
    seconds: float
    counts: bool = True


@dataclass(frozen=True, kw_only=True)
class Report:
    """What a rehearsal found.

    Attributes:
        site: The site's name.
        scenario: One of TARGETS.
        host: Whose place was taken.
        machine: The machine that took it.
        failed_at: When the host was taken for lost, ISO 8601 in UTC.
        phases: In order.
        rpo_seconds: Between the last write that was found and the failure; None when nothing was found.
        last_write: The last write that was found, ISO 8601.
        facts: What else was seen, for people.
        problem: Why it did not succeed; empty when it did.
    """

    site: str
    scenario: str
    host: str
    machine: str
    failed_at: str
    phases: tuple[Phase, ...]
    rpo_seconds: float | None
    last_write: str
    facts: Mapping[str, str] = field(default_factory=dict)
    problem: str = ""

    @property
    def target(self) -> Target:
        """What it is measured against."""
        return TARGETS[self.scenario]

    @property
    def rto_seconds(self) -> float:
        """How long the recovery took."""
        return round(sum(phase.seconds for phase in self.phases if phase.counts), 2)

    @property
    def met(self) -> bool:
        """Whether it succeeded within both targets."""
        return (
            not self.problem
            and self.rto_seconds <= self.target.rto
            and self.rpo_seconds is not None
            # A write after the failure cannot be: then something else than the backups was measured.
            and 0 <= self.rpo_seconds <= self.target.rpo
        )

    def as_dict(self) -> dict[str, Any]:
        """Return the report for machines."""
        return {
            **asdict(replace(self, facts=dict(self.facts))),
            "phases": [asdict(phase) for phase in self.phases],
            "rto_seconds": self.rto_seconds,
            "rto_target_seconds": self.target.rto,
            "rpo_target_seconds": self.target.rpo,
            "met": self.met,
        }
