"""PromQL as Grafana sends it: its variables filled in, and read by a parser before anybody depends on it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from rackwright.dashboards.model import Board

# What Grafana puts in by itself, for a picture of six hours and a scrape every 15 seconds.
BUILT_IN: Mapping[str, str] = {
    "__rate_interval": "5m",
    "__interval": "1m",
    "__interval_ms": "60000",
    "__range": "6h",
    "__range_s": "21600",
    "__range_ms": "21600000",
}
_VARIABLE = re.compile(r"\$\{(\w+)(?::\w+)?\}|\[\[(\w+)\]\]|\$(\w+)")


def filled(expr: str, chosen: Mapping[str, str] = {}) -> str:
    """Return a query with Grafana's variables filled in; what nobody chose stands for everything.

    Args:
        expr: PromQL as a panel has it.
        chosen: values of the dashboard's own variables.
    """
    known = {**BUILT_IN, **chosen}

    def value(found: re.Match[str]) -> str:
        return known.get(found[1] or found[2] or found[3], ".*")

    return _VARIABLE.sub(value, expr)


def problem(expr: str) -> str | None:
    """Tell what is wrong with a query (syntax, functions, types, patterns); None when nothing is."""
    import promql_parser  # noqa: PLC0415 - only where a dashboard is made

    try:
        promql_parser.parse(filled(expr))
    except ValueError as error:
        return str(error)
    return None


def metrics(expr: str) -> frozenset[str]:
    """Return the names of the metrics that a query reads."""
    import promql_parser  # noqa: PLC0415 - as above

    found: set[str] = set()

    def visit(part: object) -> bool:
        if isinstance(part, promql_parser.VectorSelector) and part.name:
            found.add(part.name)
        return True

    promql_parser.walk(promql_parser.parse(filled(expr)), visit)
    return frozenset(found)


def broken(board: Board) -> Iterator[str]:
    """Yield a sentence for each query of a dashboard that Prometheus would refuse."""
    for panel, query in board.queries():
        if wrong := problem(query.expr):
            yield f"dashboard {board.uid}, panel {panel.title!r}: {query.expr} is no PromQL: {wrong}"
