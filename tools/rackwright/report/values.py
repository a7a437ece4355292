"""Numbers as people read them."""

from __future__ import annotations

from datetime import UTC, datetime

from rackwright.report.model import Unit

_SIZES = ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB"))
# From two of a unit on it is used: 33 h says more than 1.4 d.
_TIMES = ((86400.0, "d"), (3600.0, "h"), (60.0, "min"))
_AT_LEAST = 2
_HUNDRED = 100
_TEN = 10


def shown(value: float, unit: Unit) -> str:
    """Return a value with its unit."""
    match unit:
        case "percent":
            return f"{_short(value)} %"
        case "s":
            return seconds(value)
        case "bytes":
            return size(value)
        case "Bps":
            return f"{size(value)}/s"
        case "per_second":
            return f"{_short(value)}/s"
        case _:
            return _short(value)


def size(value: float) -> str:
    """Return bytes in the largest unit that fits."""
    for least, name in _SIZES:
        if value >= least:
            return f"{_short(value / least)} {name}"
    return f"{value:.0f} B"


def seconds(value: float) -> str:
    """Return a span of time in its largest unit."""
    for least, name in _TIMES:
        if value >= least * _AT_LEAST:
            return f"{value / least:.1f}".removesuffix(".0") + f" {name}"
    return f"{_short(value)} s" if value >= 1 or value == 0 else f"{value * 1000:.0f} ms"


def when(at: float) -> str:
    """Return a time in UTC."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M")


def _short(value: float) -> str:
    """Return a number with what matters of it: 0.25, 3.4, 250."""
    places = 0 if value >= _HUNDRED or value == round(value) else 1 if value >= _TEN else 2
    text = f"{value:,.{places}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
