"""Which lines are wanted, in the words of both hosts, and what is kept of those that a store finds."""

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
        until: Lines before this moment; None for all later ones.
        hosts: Of these hosts; of all where none is named.
        services: Of these services; of all where none is named.
        grep: A regular expression that the text has; all texts have an empty one.
        limit: How many lines at most, the latest.
    """

    since: datetime
    until: datetime | None = None
    hosts: frozenset[str] = frozenset()
    services: frozenset[str] = frozenset()
    grep: str = ""
    limit: int = 1000

    @classmethod
    def read(cls, told: Line) -> Question:
        """Return the question that JSON says; of what is left out, all."""
        until = told.get("until")
        return cls(
            datetime.fromisoformat(told["since"]),
            datetime.fromisoformat(until) if until else None,
            frozenset(told.get("hosts", ())),
            frozenset(told.get("services", ())),
            str(told.get("grep", "")),
            int(told.get("limit", 1000)),
        )

    def told(self) -> Line:
        """Return it as what JSON can say."""
        return {
            "since": self.since.isoformat(),
            "until": self.until.isoformat() if self.until else None,
            "hosts": sorted(self.hosts),
            "services": sorted(self.services),
            "grep": self.grep,
            "limit": self.limit,
        }

    @property
    def end(self) -> datetime:
        """`until`, or the last moment that there is."""
        return self.until or datetime.max.replace(tzinfo=timezone.utc)

    @property
    def span(self) -> tuple[str, str]:
        """`since` and `end` as lines have their times: texts of one form, which sort as times do."""
        first, last = (
            moment.astimezone(timezone.utc).isoformat(timespec="microseconds")
            for moment in (self.since, self.end)
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
