"""Memory written the way the programs write it."""

from __future__ import annotations

_UNITS = ("kB", "MB", "GB", "TB")
_STEP = 1024


def postgresql_memory(megabytes: int) -> str:
    """The megabytes as PostgreSQL's SHOW prints them: in the largest unit that leaves a whole number."""
    value, unit = megabytes, 1
    while value and value % _STEP == 0 and unit < len(_UNITS) - 1:
        value //= _STEP
        unit += 1
    return f"{value}{_UNITS[unit]}"


def redis_memory(megabytes: int) -> str:
    """The megabytes in Redis's notation; its `mb` are 1024 x 1024 bytes."""
    return f"{megabytes}mb"
