"""What a dashboard consists of: rows of panels, each with its queries and what has to be there for them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Literal

Kind = Literal["time", "stat", "table", "bars"]
# What a query may need beside services of the catalogue.
GPU = "gpu"
WIDTH = 24


@dataclass(frozen=True)
class Query:
    """One question to Prometheus.

    Attributes:
        expr: PromQL; `$host`, `$interval` and the like are Grafana's variables, see `promql`.
        legend: How a series is called, with its labels as `{{host}}`.
        needs: Services of the catalogue that give it data, or `gpu`; one is enough. Empty: every site.
        rare: Why a healthy site may have no such series ("only with a standby"); empty: it always has.
    """

    expr: str
    legend: str = ""
    needs: frozenset[str] = frozenset()
    rare: str = ""


@dataclass(frozen=True)
class Panel:
    """One picture.

    Attributes:
        title: Above it.
        queries: What it shows.
        kind: Curves over time, one number, a table, or bars side by side.
        unit: Grafana's name of the unit (`percent`, `bytes`, `s`, `reqps`, …).
        about: What it means and from where on it is bad; people read it at night.
        width: In 24ths of the page.
        height: In rows of 30 pixels.
        warn: From here on it is yellow; below, when `low` is set.
        bad: From here on it is red.
        low: Whether small numbers are the bad ones.
        most: Upper end of the axis.
        stacked: Whether curves stand on each other.
        names: What numbers mean, as words: {0: "away", 1: "up"}.
        columns: Of a table: label -> heading; the number's own heading is "".
    """

    title: str
    queries: tuple[Query, ...]
    kind: Kind = "time"
    unit: str = "short"
    about: str = ""
    width: int = 8
    height: int = 8
    warn: float | None = None
    bad: float | None = None
    low: bool = False
    most: float | None = None
    stacked: bool = False
    names: tuple[tuple[int, str], ...] = ()
    columns: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Row:
    """Panels that belong together, under a heading; filled from left to right."""

    title: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True)
class Choice:
    """A list above a dashboard from which a label's values are chosen; all of them at first."""

    name: str
    metric: str
    title: str = ""


HOSTS = Choice("host", "up", "Host")


@dataclass(frozen=True)
class Board:
    """One dashboard.

    Attributes:
        uid: Its address in Grafana: /d/<uid>; never changed, people keep it as a bookmark.
        title: In the list.
        about: Below the title.
        rows: What it shows.
        choices: What can be chosen above it.
        since: How far back it looks at first.
        logs: Words that its log panel finds; None where it has none. Only where a log store is.
    """

    uid: str
    title: str
    about: str
    rows: tuple[Row, ...]
    choices: tuple[Choice, ...] = (HOSTS,)
    since: str = "6h"
    logs: str | None = None

    def panels(self) -> Iterator[Panel]:
        """Yield its panels."""
        for row in self.rows:
            yield from row.panels

    def queries(self) -> Iterator[tuple[Panel, Query]]:
        """Yield its queries with the panels that they are in."""
        for panel in self.panels():
            for query in panel.queries:
                yield panel, query


@dataclass(frozen=True)
class Have:
    """What a site has: names of services that run on any of its hosts, and whether a host has a GPU."""

    services: frozenset[str]
    gpu: bool = False

    def meets(self, needs: frozenset[str]) -> bool:
        """Tell whether a query with these needs can have data."""
        return not needs or bool(needs & self.services) or (GPU in needs and self.gpu)


def reduced(board: Board, have: Have) -> Board | None:
    """Return the dashboard with what this site can fill; None when nothing is left of it."""
    rows = []
    for row in board.rows:
        panels = []
        for panel in row.panels:
            kept = tuple(query for query in panel.queries if have.meets(query.needs))
            if kept:
                panels.append(replace(panel, queries=kept))
        if panels:
            rows.append(replace(row, panels=tuple(panels)))
    return replace(board, rows=tuple(rows)) if rows else None


@dataclass(frozen=True)
class Rendered:
    """A dashboard as Grafana reads it."""

    uid: str
    title: str
    content: dict[str, object] = field(repr=False)
