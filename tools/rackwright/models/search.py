"""Search for a limit."""

from __future__ import annotations

from collections.abc import Callable


def largest(low: int, high: int, holds: Callable[[int], bool]) -> int:
    """Return the largest number of low..high that a property holds for; 0 for none.

    The property, once lost, stays lost as the number grows.
    """
    if low > high or not holds(low):
        return 0
    while low < high:
        middle = (low + high + 1) // 2
        if holds(middle):
            low = middle
        else:
            high = middle - 1
    return low
