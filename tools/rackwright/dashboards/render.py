"""Dashboards as Grafana reads them, built with Grafana's own library (grafana-foundation-sdk)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard as grafana

from rackwright.dashboards.draw import ALERTS, PROMETHEUS, drawn, lines
from rackwright.dashboards.model import Board, Choice, Panel, Rendered

FOLDER = "Rackwright"
# Stores of logs: what the variable `log_store` may say, and Grafana's name of the datasource.
LOG_STORES = {"loki": "loki", "elasticsearch": "elasticsearch"}
TAG = "rackwright"
_ROW_PIXELS = 1
_PAGE = 24


def rendered(board: Board, log_store: str = "") -> Rendered:
    """Return a dashboard as Grafana reads it.

    Args:
        board: what this site can fill of it, see `model.reduced`.
        log_store: what the site says; only of a key of LOG_STORES does Grafana show lines.
    """
    page = (
        build.Dashboard(board.title)
        .uid(board.uid)
        .description(board.about)
        .tags([TAG])
        .readonly()
        .timezone("browser")
        .time(f"now-{board.since}", "now")
        .refresh("30s")
        .tooltip(grafana.DashboardCursorSync.CROSSHAIR)
        .annotation(_alerts())
        .link(_siblings())
    )
    for choice in board.choices:
        page.with_variable(_variable(choice))
    top, number = 0, 1
    for row in board.rows:
        page.with_row(build.Row(row.title).id(number).grid_pos(_place(0, top, _PAGE, _ROW_PIXELS)))
        top, number = top + _ROW_PIXELS, number + 1
        for panel, x, y in _placed(row.panels):
            page.with_panel(drawn(panel).id(number).grid_pos(_place(x, top + y, panel.width, panel.height)))
            number += 1
        top += _depth(row.panels)
    if board.logs is not None and log_store in LOG_STORES:
        page.with_panel(lines(board.logs, log_store).id(number).grid_pos(_place(0, top, _PAGE, 14)))
    content: dict[str, Any] = json.loads(json.dumps(page.build(), cls=JSONEncoder))
    return Rendered(board.uid, board.title, content)


def _placed(panels: tuple[Panel, ...]) -> Iterator[tuple[Panel, int, int]]:
    """Yield panels with their places, from left to right; what does not fit begins a new line."""
    x = y = deepest = 0
    for panel in panels:
        if x + panel.width > _PAGE:
            x, y, deepest = 0, y + deepest, 0
        yield panel, x, y
        x, deepest = x + panel.width, max(deepest, panel.height)


def _depth(panels: tuple[Panel, ...]) -> int:
    return max((y + panel.height for panel, _, y in _placed(panels)), default=0)


def _place(x: int, y: int, width: int, height: int) -> grafana.GridPos:
    return grafana.GridPos(h=height, w=width, x=x, y=y)


def _variable(choice: Choice) -> build.QueryVariable:
    everything = grafana.VariableOption(selected=True, text="All", value="$__all")
    return (
        build.QueryVariable(choice.name)
        .label(choice.title or choice.name)
        .datasource(PROMETHEUS)
        .query({"query": f"label_values({choice.metric}, {choice.name})", "refId": choice.name})
        .refresh(grafana.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(grafana.VariableSort.ALPHABETICAL_ASC)
        .multi(True)
        .include_all(True)
        .all_value(".*")
        .current(everything)
    )


def _alerts() -> build.AnnotationQuery:
    """Return marks in every picture where an alert began to fire."""
    return (
        build.AnnotationQuery()
        .name("Alerts")
        .datasource(PROMETHEUS)
        .enable(True)
        .icon_color("red")
        .expr(ALERTS)
    )


def _siblings() -> build.DashboardLink:
    return (
        build.DashboardLink("Dashboards")
        .type(grafana.DashboardLinkType.DASHBOARDS)
        .tags([TAG])
        .as_dropdown(True)
        .include_vars(True)
        .keep_time(True)
    )
