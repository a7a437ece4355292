"""What the report says: each part, or why there is nothing to say of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from rackwright.operations.health import ServiceHealth

Unit = Literal["percent", "s", "bytes", "Bps", "per_second", "number"]
Point = tuple[float, float]


@dataclass(frozen=True)
class Absent:
    """A part that cannot be told.

    Attributes:
        why: A key of the words below `absent`.
        detail: What was seen, as a program said it.
    """

    why: str
    detail: str = ""


@dataclass(frozen=True)
class Series:
    """One curve: its name, and (seconds since 1970, value) in order."""

    name: str
    points: tuple[Point, ...] = field(repr=False)


@dataclass(frozen=True)
class Trend:
    """How something went over the days: `key` names it in the words, `series` may be why there is none."""

    key: str
    unit: Unit
    series: tuple[Series, ...] | Absent
    most: float | None = None
    bound: float | None = None


@dataclass(frozen=True)
class FiredAlert:
    """An alert that fired: its labels, for how many seconds in all, and whether it still does."""

    name: str
    severity: str
    host: str
    service: str
    seconds: float
    firing: bool


@dataclass(frozen=True)
class HostCapacity:
    """What a host has left. Percents are of now and of the week's busiest hour; None: not measured.

    Attributes:
        days_until_full: By the straight line through the week; None where none fills, or nothing is foreseen.
        foreseen: Whether enough was measured to foresee it.
        mountpoint: The file system that is fullest.
    """

    host: str
    cpu: float | None = None
    cpu_most: float | None = None
    memory: float | None = None
    memory_most: float | None = None
    disk: float | None = None
    mountpoint: str = ""
    disk_free_bytes: float | None = None
    days_until_full: float | None = None
    foreseen: bool = False


@dataclass(frozen=True)
class Backup:
    """A store: its newest backup (seconds since 1970, bytes), and how the last jobs over it ended."""

    store: str
    newest: float | None
    size: float | None
    count: int
    problem: str = ""


@dataclass(frozen=True)
class Backups:
    """All stores, and the newest point over all of them; what the point's name is and when it was made."""

    stores: tuple[Backup, ...]
    point: str = ""
    point_time: float | None = None


@dataclass(frozen=True)
class AuditResult:
    """The last audit: when, how many checks have each result, and what is not met, by language."""

    made_at: str
    counts: Mapping[str, int]
    failed: tuple[Mapping[str, str], ...]


@dataclass(frozen=True)
class Rehearsal:
    """The last rehearsal: what failed, when, measures and targets in seconds, whether it is genuine."""

    what: str
    at: str
    met: bool
    rto: float
    rto_target: float
    rpo: float | None
    rpo_target: float
    genuine: bool
    problem: str = ""


@dataclass(frozen=True, kw_only=True)
class SiteReport:
    """Everything; each part may be absent."""

    site: str
    domain: str
    made_at: str
    days: int
    topology: str = field(repr=False)
    health: tuple[ServiceHealth, ...] | Absent
    alerts: tuple[FiredAlert, ...] | Absent
    trends: tuple[Trend, ...]
    capacity: tuple[HostCapacity, ...] | Absent
    backups: Backups | Absent
    rehearsal: Rehearsal | Absent
    audit: AuditResult | Absent

    def as_dict(self) -> dict[str, Any]:
        """Return the report for machines: an absent part is {absent, detail}; the picture is left out."""
        return {name: _plain(getattr(self, name)) for name in self.__dataclass_fields__ if name != "topology"}


def _plain(value: Any) -> Any:  # noqa: ANN401 - any part
    if isinstance(value, Absent):
        return {"absent": value.why, "detail": value.detail}
    if isinstance(value, Trend):
        return {**asdict(value), "series": _plain(value.series)}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(item) for item in value]
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return (
        {name: _plain(getattr(value, name)) for name in value.__dataclass_fields__}
        if hasattr(value, "__dataclass_fields__")
        else value
    )
