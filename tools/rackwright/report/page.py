"""The report as one HTML page: no script, no font, no file from elsewhere."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from typing import Any, Literal

import yaml
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from rackwright.report.chart import chart, drawn
from rackwright.report.model import Absent, Series, SiteReport
from rackwright.report.values import seconds, shown, size, when

LANGUAGES = ("en", "zh")
State = Literal["pass", "warn", "fail", "none"]
# Ages and times from which on a tile is yellow and red.
_CERTIFICATE_DAYS = (25, 10)
_BACKUP_SECONDS = (26 * 3600, 50 * 3600)
_DISK_DAYS = (30, 7)


@dataclass(frozen=True)
class Tile:
    """One number of the first line, and how good it is."""

    title: str
    value: str
    state: State


@cache
def words_of(language: str) -> dict[str, Any]:
    """Return everything that the report says in a language."""
    text = files("rackwright.report").joinpath("words.yml").read_text(encoding="utf-8")
    found: dict[str, Any] = yaml.safe_load(text)[language]
    return found


def as_html(report: SiteReport, language: str) -> str:
    """Return the page."""
    environment = Environment(
        loader=PackageLoader("rackwright.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.tests["absent"] = _is_absent
    words = words_of(language)
    return environment.get_template("page.html.j2").render(
        report=report,
        words=words,
        language=language,
        tiles=tiles(report, words),
        topology=Markup(report.topology),  # noqa: S704 - our own picture, its texts are escaped
        is_absent=_is_absent,
        chart=lambda trend, title, days: Markup(chart(trend, title, days)),  # noqa: S704 - as above
        coded=_coded,
        drawn=drawn,
        highest=_highest,
        shown=shown,
        seconds=seconds,
        size=size,
        when=when,
        time=_time,
    )


def tiles(report: SiteReport, words: dict[str, Any]) -> list[Tile]:
    """Return the first line: what a meeting asks first."""
    names = words["tile"]
    unknown = words["not_measured"]

    def tile(key: str, value: str | None, state: State) -> Tile:
        return Tile(
            names[key], value if value is not None else unknown, state if value is not None else "none"
        )

    health = () if isinstance(report.health, Absent) else report.health
    well = sum(entry.ok for entry in health)
    days = [entry.certificate_days for entry in health if entry.certificate_days is not None]
    alerts = None if isinstance(report.alerts, Absent) else sum(alert.firing for alert in report.alerts)
    return [
        tile(
            "health", f"{well}/{len(health)}" if health else None, "pass" if well == len(health) else "fail"
        ),
        tile("alerts", None if alerts is None else str(alerts), "fail" if alerts else "pass"),
        _backup_tile(report, tile, words),
        tile(
            "certificate",
            words["days_left"].format(days=min(days)) if days else None,
            _low(min(days, default=0), _CERTIFICATE_DAYS),
        ),
        _disk_tile(report, tile, words),
        _audit_tile(report, tile),
    ]


def _backup_tile(report: SiteReport, tile: Any, words: dict[str, Any]) -> Tile:  # noqa: ANN401 - the function above
    if isinstance(report.backups, Absent) or not report.backups.stores:
        return Tile(words["tile"]["backups"], words["not_measured"], "none")
    newest = [store.newest for store in report.backups.stores]
    if None in newest:
        return Tile(words["tile"]["backups"], words["no_backup"], "fail")
    age = datetime.fromisoformat(report.made_at).timestamp() - min(at for at in newest if at is not None)
    warn, bad = _BACKUP_SECONDS
    found: Tile = tile(
        "backups", seconds(max(age, 0)), "fail" if age > bad else "warn" if age > warn else "pass"
    )
    return found


def _disk_tile(report: SiteReport, tile: Any, words: dict[str, Any]) -> Tile:  # noqa: ANN401
    hosts = () if isinstance(report.capacity, Absent) else report.capacity
    measured = [host for host in hosts if host.foreseen]
    days = [host.days_until_full for host in measured if host.days_until_full is not None]
    if measured and not days:
        return Tile(words["tile"]["disk"], words["not_filling"], "pass")
    least = min(days, default=0)
    value = words["days_left"].format(days=f"{least:.0f}") if days else None
    found: Tile = tile("disk", value, _low(least, _DISK_DAYS))
    return found


def _audit_tile(report: SiteReport, tile: Any) -> Tile:  # noqa: ANN401
    if isinstance(report.audit, Absent):
        missing: Tile = tile("audit", None, "none")
        return missing
    counts = report.audit.counts
    asked = counts["pass"] + counts["warn"] + counts["fail"]
    state = "fail" if counts["fail"] else "warn" if counts["warn"] else "pass"
    found: Tile = tile("audit", f"{counts['pass']}/{asked}", state)
    return found


def _low(value: float, bounds: tuple[float, float]) -> State:
    warn, bad = bounds
    return "fail" if value < bad else "warn" if value < warn else "pass"


def _is_absent(part: object) -> bool:
    return isinstance(part, Absent)


def _highest(series: Series) -> float:
    return max(value for _, value in series.points)


def _coded(text: str) -> Markup:
    """Return a text in which `commands` are set as such."""
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text))))  # noqa: S704 - escaped before


def _time(text: str) -> str:
    """Return an ISO 8601 time in UTC, to the minute."""
    return datetime.fromisoformat(text).astimezone(UTC).strftime("%Y-%m-%d %H:%M")
