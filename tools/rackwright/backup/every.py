"""How often a site keeps stores for which once a night is too seldom."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from rackwright.backup.agent.kinds import KINDS
from rackwright.errors import RackwrightError

# Each goes into an hour or a day without a rest, as cron wants it; in minutes.
INTERVALS: Mapping[str, int] = {
    "10m": 10,
    "15m": 15,
    "20m": 20,
    "30m": 30,
    **{f"{hours}h": hours * 60 for hours in (1, 2, 3, 4, 6, 8, 12)},
}
HOUR = 60
VARIABLE = "backup_repository_every"


def timed(kept: Sequence[Mapping[str, Any]], every: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return stores with `every_minutes`, by what is said of each, else of its kind; 0 where neither is.

    Raises:
        RackwrightError: There is no such store or interval.
    """
    told = [f"{VARIABLE} has {value}: {rule}; {fix}" for value, rule, fix in problems(every, kept)]
    if told:
        raise RackwrightError("\n".join(told))
    said = [(store, every.get(store["name"], every.get(store["kind"]))) for store in kept]
    return [{**store, "every_minutes": INTERVALS[often] if often else 0} for store, often in said]


def crons(stores: Iterable[Mapping[str, Any]]) -> list[tuple[str, int]]:
    """Return cron's five fields, and the minutes, of each interval that stores (`every_minutes`) have."""
    found = sorted({store["every_minutes"] for store in stores if store["every_minutes"]})
    return [
        (f"*/{minutes} * * * *" if minutes < HOUR else f"0 */{minutes // HOUR} * * *", minutes)
        for minutes in found
    ]


def problems(
    every: Mapping[str, object], kept: Sequence[Mapping[str, Any]]
) -> Iterator[tuple[str, str, str]]:
    """Yield what is wrong with a site's intervals: the value, the rule, and what to write instead.

    Args:
        every: Store or kind -> interval, as the site says it.
        kept: Name and kind of each store that there is.
    """
    names = {str(store["name"]): str(store["kind"]) for store in kept}
    for subject, interval in every.items():
        kind = names.get(str(subject), str(subject))
        if kind not in KINDS:
            others = ", ".join((*names, *(name for name in KINDS if KINDS[name].stream)))
            yield str(subject), "it is no store of this site and no kind of one", f"write one of {others}"
        elif KINDS[kind].stream is None:
            told = "the log of PostgreSQL leaves each minute (postgresql_archive_seconds)"
            yield str(subject), told, "take it out; backup_repository_schedule says when it has its backups"
        if str(interval) not in INTERVALS:
            rule = "an interval goes into an hour or a day without a rest"
            yield f"{subject}: {interval}", rule, f"write one of {', '.join(INTERVALS)}"
