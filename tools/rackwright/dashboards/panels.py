"""The shapes that panels have in common: each takes what is special, and says the rest once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from rackwright.dashboards.model import Kind, Panel, Query

# What "lately" means for a rate: four scrapes at least, and what the picture's width asks.
LATELY = "$__rate_interval"
NAMED = "{{host}}"
_SMALL: dict[str, Any] = {"width": 4, "height": 4}
_WIDE: dict[str, Any] = {"width": 12}
_SECONDS: dict[str, Any] = {"unit": "s"}


def query(expr: str, legend: str = NAMED, needs: Iterable[str] | str = (), rare: str = "") -> Query:
    """Return a query; `needs` may be one name."""
    return Query(expr, legend, frozenset([needs] if isinstance(needs, str) else needs), rare)


def time(title: str, *queries: Query, **rest: Any) -> Panel:  # noqa: ANN401 - what Panel takes
    """Return curves over time."""
    return Panel(title, queries, **rest)


def stat(title: str, expr: Query, **rest: Any) -> Panel:  # noqa: ANN401
    """Return one number, a sixth of the page wide."""
    return Panel(title, (expr,), "stat", **(_SMALL | rest))


def bars(title: str, expr: Query, **rest: Any) -> Panel:  # noqa: ANN401
    """Return values side by side."""
    return Panel(title, (expr,), "bars", **rest)


def table(title: str, expr: Query, columns: Mapping[str, str], **rest: Any) -> Panel:  # noqa: ANN401
    """Return a table of a query's present values."""
    return Panel(title, (expr,), "table", columns=tuple(columns.items()), **(_WIDE | rest))


def share(title: str, part: str, whole: str, about: str = "", kind: Kind = "time", **rest: Any) -> Panel:  # noqa: ANN401
    """Return how much of a whole is used, in percent, yellow from 80 and red from 90."""
    legend = rest.pop("legend", NAMED)
    needs = rest.pop("needs", ())
    asked = query(f"100 * {part} / {whole}", legend, needs)
    given: dict[str, Any] = {"unit": "percent", "most": 100.0, "warn": 80.0, "bad": 90.0} | rest
    return Panel(title, (asked,), kind, about=about, **given)


def rate(metric: str, by: str = "host", where: str = "") -> str:
    """Return the sum of a counter's rates by labels: `where` is what else the series must have."""
    return f"sum by ({by}) (rate({metric}{{{_here(where)}}}[{LATELY}]))"


def quantile(level: float, histogram: str, by: str = "host", where: str = "") -> str:
    """Return a quantile of a histogram (its name without `_bucket`), by labels."""
    labels = ", ".join(("le", *filter(None, by.split(", "))))
    found = f"sum by ({labels}) (rate({histogram}_bucket{{{_here(where)}}}[{LATELY}]))"
    return f"histogram_quantile({level}, {found})"


def quantiles(title: str, histogram: str, needs: Iterable[str] | str, **rest: Any) -> Panel:  # noqa: ANN401
    """Return median, 95th and 99th hundredth of a histogram in seconds over all hosts."""
    where = rest.pop("where", "")
    rare = rest.pop("rare", "")
    asked = [
        query(quantile(level, histogram, "", where), name, needs, rare)
        for level, name in ((0.5, "median"), (0.95, "95 %"), (0.99, "99 %"))
    ]
    return Panel(title, tuple(asked), **(_SECONDS | rest))


def gauge(metric: str, where: str = "") -> str:
    """Return a metric on the chosen hosts."""
    return f"{metric}{{{_here(where)}}}"


def _here(where: str) -> str:
    return 'host=~"$host"' + (f", {where}" if where else "")
