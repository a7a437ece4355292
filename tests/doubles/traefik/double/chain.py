"""What middlewares are made of: handlers around handlers, and the settings that they are built from."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from double.requests import Request
from double.wire import Answer

Handler = Callable[[Request, Answer], Awaitable[None]]
Around = Callable[[Handler], Handler]
Settings = Mapping[str, Any]
Services = Mapping[str, Handler]
_SIZES = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}


class WrongError(Exception):
    """A part of the configuration that is not put in force; the text is what the API says of it."""


def seconds(value: object) -> float:
    """Return a duration: a number of seconds, or numbers with units."""
    parts = re.findall(r"([0-9.]+)(ns|us|ms|s|m|h)", str(value))
    return sum(float(number) * _SIZES[unit] for number, unit in parts) if parts else float(str(value))
