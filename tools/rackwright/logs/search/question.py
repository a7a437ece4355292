"""Which lines are wanted, and what is kept of those that a store finds."""

from __future__ import annotations

import heapq
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timezone
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
            datetime.fromisoformat(until) if until else datetime.max.replace(tzinfo=timezone.utc),
            frozenset(told.get("hosts") or ()),
            frozenset(told.get("services") or ()),
            str(told.get("grep") or ""),
            int(told.get("limit") or 1000),
        )

    @property
    def span(self) -> tuple[str, str]:
        """`since` and `until` as lines have their times: texts of one form, which sort as times do."""
        first, last = (
            moment.astimezone(timezone.utc).isoformat(timespec="microseconds")
            for moment in (self.since, self.until)
        )
        return first.replace("+00:00", "Z"), last.replace("+00:00", "Z")

    def matcher(self) -> Callable[[str], object]:
        """Return what tells whether a text has the pattern."""
        return re.compile(self.grep).search if self.grep else lambda _: True


def latest(lines: Iterable[Line], limit: int) -> tuple[list[Line], bool]:
    """Return the latest lines in order, and whether there are more.

    Lines come as they arrived: of one that was read twice, with another time where it says none itself, the
    first counts; and those of one moment and place (the journal has such) stay in their order.
    """
    kept: list[tuple[tuple[str, str, str, int, int], Line]] = []
    seen: set[int] = set()
    more = False
    for arrived, line in enumerate(lines):
        number = int(line["id"], 16)
        if number in seen:
            continue
        seen.add(number)
        entry = ((line["time"], line["host"], line["stream"], int(line["position"]), arrived), line)
        if len(kept) < limit:
            heapq.heappush(kept, entry)
        else:
            heapq.heappushpop(kept, entry)
            more = True
    return [line for _, line in sorted(kept, key=lambda entry: entry[0])], more
