"""Which snapshots a site lets go of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

HOUR, DAY = 3600, 24 * 3600
# However old: what a store that nobody keeps any more has left.
LEAST = 3
# Of a store that is kept many times a day all of the last day stay, then each hour's last of another day,
# then each day's last.
ALL, HOURLY = DAY, 2 * DAY


@dataclass(frozen=True)
class Snapshot:
    """One backup of a store.

    Attributes:
        id: restic's short name of it.
        store: `<host>/<service>`.
        time: Seconds since 1970.
        size: Bytes of the stream.
        point: The named point of the whole site that it is of; empty for none.
    """

    id: str
    store: str
    time: float
    size: int
    point: str = ""


def superseded(
    snapshots: Sequence[Snapshot], retention_days: int, every_minutes: Mapping[str, int]
) -> list[str]:
    """Return the ids of those that are not kept any longer.

    Ages are counted from the newest of each store: one that is not kept any more loses nothing by waiting.

    Args:
        snapshots: All that there are.
        retention_days: How long backups are kept.
        every_minutes: Of stores that are kept more often than each night, how often.
    """
    gone = []
    for store in dict.fromkeys(entry.store for entry in snapshots):
        held = sorted(
            (entry for entry in snapshots if entry.store == store), key=lambda one: one.time, reverse=True
        )
        newest = held[0].time
        seen: set[str] = set()
        for place, entry in enumerate(held):
            age = newest - entry.time
            span = _span(entry, age) if store in every_minutes else ""
            repeats = span in seen
            # A point's own is not the last of anything: it stays beside that.
            if not entry.point and span:
                seen.add(span)
            if place >= LEAST and (age > retention_days * DAY or (repeats and not entry.point)):
                gone.append(entry.id)
    return gone


def _span(entry: Snapshot, age: float) -> str:
    """Return the hour or the day of which only the last stays; nothing for one that stays itself."""
    if age < ALL:
        return ""
    moment = datetime.fromtimestamp(entry.time).astimezone()
    return moment.strftime("%Y-%m-%d %H" if age < HOURLY else "%Y-%m-%d")
