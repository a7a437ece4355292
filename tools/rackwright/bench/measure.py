"""Times of alternating rounds, and the ratio that is told."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Series:
    """Figures of all rounds, in their order; seconds or ratios."""

    values: tuple[float, ...]

    def __post_init__(self) -> None:
        """Refuse a series that says nothing."""
        if not self.values:
            raise ValueError("a series needs at least one round")

    @property
    def minimum(self) -> float:
        """The smallest figure."""
        return min(self.values)

    @property
    def median(self) -> float:
        """The middle one; of an even number the mean of both in the middle."""
        return statistics.median(self.values)

    @property
    def maximum(self) -> float:
        """The largest figure."""
        return max(self.values)

    def as_dict(self, digits: int) -> dict[str, Any]:
        """Return all figures for JSON, rounded."""
        return {
            "min": round(self.minimum, digits),
            "median": round(self.median, digits),
            "max": round(self.maximum, digits),
            "rounds": [round(value, digits) for value in self.values],
        }


@dataclass(frozen=True)
class Comparison:
    """One benchmark: seconds of both sides, round by round.

    Attributes:
        name: `converge`, `nochange` or `preflight`.
        title: What was timed.
        aim: The ratio that must not be exceeded.
        ours: Seconds of the toolkit.
        floor: Seconds of the plain script.
        notes: What a reader of the figures must know.
    """

    name: str
    title: str
    aim: float
    ours: Series
    floor: Series
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse sides that were not timed the same number of times."""
        if len(self.ours.values) != len(self.floor.values):
            raise ValueError("both sides need the same number of rounds")

    @property
    def ratios(self) -> Series:
        """Ours to the script's, within each round: what slows the machine down for a while hits both."""
        pairs = zip(self.ours.values, self.floor.values, strict=True)
        return Series(tuple(ours / floor for ours, floor in pairs))

    @property
    def met(self) -> bool:
        """Whether the median ratio is within the aim."""
        return self.ratios.median <= self.aim

    def as_dict(self) -> dict[str, Any]:
        """Return everything for JSON; seconds with three digits, ratios with two."""
        return {
            "name": self.name,
            "title": self.title,
            "aim": self.aim,
            "met": self.met,
            "ratio": self.ratios.as_dict(2),
            "rackwright_seconds": self.ours.as_dict(3),
            "script_seconds": self.floor.as_dict(3),
            "notes": list(self.notes),
        }


def as_json(comparisons: Sequence[Comparison], machine: Mapping[str, Any]) -> dict[str, Any]:
    """Return all benchmarks of a run and the machine they ran on."""
    return {"machine": dict(machine), "benchmarks": [comparison.as_dict() for comparison in comparisons]}
