"""Which lines are wanted, and what is kept of those that a store finds."""

from __future__ import annotations

import heapq
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

Line = dict[str, Any]


@dataclass(frozen=True)
class Question:
    """What is wanted.

    Attributes:
        since: Lines of this moment and later.
        until: Lines before this moment.
        hosts: Of these hosts; of all where none is named.
        services: Of these services; of all where none is named.
        grep: A regular expression that the text has; all texts have an empty one.
        limit: How many lines at most, the latest.
    """

    since: datetime
    until: datetime
    hosts: frozenset[str] = frozenset()
    services: frozenset[str] = frozenset()
    grep: str = ""
    limit: int = 1000

    @classmethod
    def read(cls, told: Line) -> Question:
        """Return the question that JSON says; `until` may be left out."""
        until = told.get("until")
        return cls(
            datetime.fromisoformat(told["since"]),
            datetime.fromisoformat(until) if until else datetime.max.replace(tzinfo=UTC),
            frozenset(told.get("hosts") or ()),
            frozenset(told.get("services") or ()),
            str(told.get("grep") or ""),
            int(told.get("limit") or 1000),
        )

    @property
    def span(self) -> tuple[str, str]:
        """`since` and `until` as lines have their times: texts of one form, which sort as times do."""
        first, last = (
            moment.astimezone(UTC).isoformat(timespec="microseconds") for moment in (self.since, self.until)
        )
        return first.replace("+00:00", "Z"), last.replace("+00:00", "Z")

    def matcher(self) -> Callable[[str], object]:
        """Return what tells whether a text has the pattern."""
        return re.compile(self.grep).search if self.grep else lambda _: True


def latest(lines: Iterator[Line], limit: int) -> tuple[list[Line], bool]:
    """Return the latest lines in order, and whether there are more; memory is for those that are returned.

    One that comes again has the same key: it is among those that are kept, or older than all of them.
    """
    kept: list[tuple[tuple[str, str, str, int, str], Line]] = []
    ids: set[str] = set()
    more = False
    for line in lines:
        if line["id"] in ids:
            continue
        key = (line["time"], line["host"], line["stream"], int(line["position"]), line["id"])
        if len(kept) < limit:
            heapq.heappush(kept, (key, line))
        else:
            more = True
            if key < kept[0][0]:
                continue
            ids.discard(heapq.heappushpop(kept, (key, line))[1]["id"])
        ids.add(line["id"])
    return [line for _, line in sorted(kept, key=lambda entry: entry[0])], more
