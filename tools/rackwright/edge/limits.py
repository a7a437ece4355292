"""Rates as windows, for a proxy that counts requests of a span of time instead of letting a bucket leak."""

from __future__ import annotations

from dataclasses import dataclass

# Of HAProxy's counters: a shorter one would round to nothing.
SHORTEST_MS = 10


@dataclass(frozen=True)
class Window:
    """So many requests are let through within a span of `period_ms` milliseconds."""

    period_ms: int
    most: int


def window(rate: int, burst: int) -> Window:
    """Return the window that lets through what a rate with a burst does.

    Both let `burst` requests beyond the one that is due through at once, and `rate` a second for good.

    Args:
        rate: Requests each second.
        burst: Requests beyond the rate that are let through at once.
    """
    period = max(SHORTEST_MS, -(-(burst + 1) * 1000 // rate))
    return Window(period, max(burst + 1, rate * period // 1000))
