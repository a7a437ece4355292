"""Which settings of a configuration that is not written yet would make PostgreSQL restart: pure functions."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

# The server's own word on every setting that it reads only at its start.
STARTUP_SETTINGS = """
SELECT coalesce(json_object_agg(name, json_build_object('setting', setting, 'unit', unit, 'type', vartype,
  'boot', boot_val, 'file', sourcefile)), '{}') FROM pg_settings WHERE context = 'postmaster';
"""
_LINE = re.compile(r"^\s*([A-Za-z_][\w.]*)\s*(?:=|\s)\s*('(?:[^']|'')*'|[^\s#']+)", re.MULTILINE)
_AMOUNT = re.compile(r"(-?[\d.]+)\s*([A-Za-z]*)")
# In bytes and in milliseconds; the units of pg_settings may have a number before them (8kB).
_UNITS = {
    "B": 1.0,
    "kB": 1024.0,
    "MB": 1024.0**2,
    "GB": 1024.0**3,
    "TB": 1024.0**4,
    "us": 0.001,
    "ms": 1.0,
    "s": 1000.0,
    "min": 60_000.0,
    "h": 3_600_000.0,
    "d": 86_400_000.0,
}
_TRUE, _FALSE = ("on", "true", "yes", "1", "t", "y"), ("off", "false", "no", "0", "f", "n")


def settings_in(text: str) -> dict[str, str]:
    """Read a configuration file; of a name that is there twice the last one counts."""
    return {name.lower(): _unquoted(value) for name, value in _LINE.findall(text)}


def restart_names(files: Mapping[str, str], current: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Say which settings would wait for a restart once some files are in place.

    Args:
        files: the texts that would be written, by path; of two files the later name wins.
        current: the answer to STARTUP_SETTINGS.

    Returns:
        The names, in order.
    """
    wanted: dict[str, str] = {}
    for path in sorted(files):
        wanted.update(settings_in(files[path]))
    last = max(files, default="")
    found = []
    for name, now in current.items():
        held = str(now.get("file") or "")
        if held and held not in files and _overrides(held, last):
            continue
        if name in wanted:
            value: str | None = wanted[name]
        else:
            # Only what a rewritten file said so far can fall back to the program's own value.
            value = now.get("boot") if held in files else None
        if value is not None and not _same(value, now):
            found.append(name)
    return sorted(found)


def _overrides(held: str, ours: str) -> bool:
    """Whether a file is read after ours: both in conf.d, in the order of their names."""
    one, other = PurePosixPath(held), PurePosixPath(ours)
    return one.name == "postgresql.auto.conf" or (one.parent == other.parent and one.name > other.name)


def _unquoted(value: str) -> str:
    return value[1:-1].replace("''", "'") if value.startswith("'") else value


def _same(value: str, now: Mapping[str, Any]) -> bool:
    setting, kind = str(now.get("setting") or ""), now.get("type")
    if kind == "bool":
        return _truth(value) == _truth(setting)
    if kind in ("integer", "real"):
        one, other = _amount(value, now.get("unit")), _amount(setting, now.get("unit"))
        return (
            one is not None and other is not None and abs(one - other) < (0.5 if kind == "integer" else 1e-9)
        )
    return value.casefold() == setting.casefold() if kind == "enum" else value == setting


def _truth(value: str) -> bool | None:
    text = value.strip().lower()
    return True if text in _TRUE else False if text in _FALSE else None


def _amount(value: str, unit: str | None) -> float | None:
    """A number in the setting's own unit."""
    match = _AMOUNT.fullmatch(value.strip())
    if match is None:
        return None
    number = float(match[1])
    if not match[2]:
        return number
    own = re.fullmatch(r"(\d*)([A-Za-z]+)", unit or "")
    if own is None or own[2] not in _UNITS or match[2] not in _UNITS:
        return None
    return number * _UNITS[match[2]] / (int(own[1] or 1) * _UNITS[own[2]])
