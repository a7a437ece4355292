"""The log of a cluster over its restores: each began a timeline, and one line of them leads to a target."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

# A segment is 16 MB (the role makes clusters so): 256 of them have the same first number.
_SEGMENTS = 0x100
_SEGMENT_BITS = 24
FIRST = 1


def number(segment: str) -> int:
    """Return the place of a segment in the log, whatever its timeline."""
    return int(segment[8:16], 16) * _SEGMENTS + int(segment[16:24], 16)


def timeline(segment: str) -> int:
    """Return the timeline of a segment."""
    return int(segment[:8], 16)


def name(line: int, place: int) -> str:
    """Return the name of a segment."""
    return f"{line:08X}{place // _SEGMENTS:08X}{place % _SEGMENTS:08X}"


@dataclass(frozen=True)
class Span:
    """The part of the log that one timeline gives: its number, first and last segment (None: open)."""

    timeline: int
    first: int
    last: int | None

    def holds(self, place: int) -> bool:
        """Tell whether a segment is of this part."""
        return self.first <= place and (self.last is None or place <= self.last)


def spans(target: int, history: str) -> tuple[Span, ...]:
    """Return the line that leads to a timeline, oldest part first.

    Args:
        target: Number of the timeline.
        history: Its history file: a line for each timeline before it, with the address in the log
            (`0/5000138`) at which it was left. The segment of that address is on both.
    """
    found = []
    start = 0
    for line in history.splitlines():
        words = line.split()
        if len(words) < 2 or words[0].startswith("#"):  # noqa: PLR2004 - a timeline and an address
            continue
        high, low = (int(part, 16) for part in words[1].split("/"))
        left = (high << 32 | low) >> _SEGMENT_BITS
        found.append(Span(int(words[0]), start, left))
        start = left
    return (*found, Span(target, start, None))


def on_line(line: tuple[Span, ...], segment: str) -> bool:
    """Tell whether a segment is on a line."""
    return any(span.timeline == timeline(segment) and span.holds(number(segment)) for span in line)


def gap(held: set[str], line: tuple[Span, ...], first: str, last: str | None) -> str | None:
    """Return the first segment that a line lacks between two, or to its end; None when it is whole."""
    start = number(first)
    end = number(last) if last else max((number(one) for one in held if on_line(line, one)), default=start)
    for place in range(start, end + 1):
        names = [name(span.timeline, place) for span in line if span.holds(place)]
        if not held.intersection(names):
            return names[-1]
    return None


def until(began: Mapping[int, float], moment: float | None) -> int:
    """Return the timeline that was the cluster's at a moment; the newest for None.

    Args:
        began: Seconds since 1970 at which each timeline after the first began.
        moment: The same.
    """
    return max((one for one, at in began.items() if moment is None or at <= moment), default=FIRST)
