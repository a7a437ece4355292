"""Versions as tuples of numbers, and what a host's strings say of them."""

from __future__ import annotations

import re

Version = tuple[int, ...]

_NUMBERS = re.compile(r"\d+(?:\.\d+)*")


def version(text: str) -> Version:
    """Return the leading numbers of a version: `6.12.107+deb13-amd64` is (6, 12, 107).

    Raises:
        ValueError: The text does not begin with a number.
    """
    found = _NUMBERS.match(text.strip().removeprefix("v"))
    if found is None:
        raise ValueError(f"{text!r} is no version")
    return tuple(int(part) for part in found.group().split("."))


def at_least(text: str, minimum: str) -> bool:
    """Whether a version is `minimum` or newer; missing parts count as 0."""
    return _padded(text, minimum) >= _padded(minimum, text)


def within_series(text: str, newest: str) -> bool:
    """Whether a version is no newer than `newest`, whose missing parts may be anything: 6.12.9 is in 6.12."""
    limit = version(newest)
    return version(text)[: len(limit)] <= limit


def branch_of(driver: str) -> int:
    """Return the branch of a driver's version: 550.163.01 is of branch 550."""
    return version(driver)[0]


def _padded(text: str, other: str) -> Version:
    own = version(text)
    return own + (0,) * (len(version(other)) - len(own))
