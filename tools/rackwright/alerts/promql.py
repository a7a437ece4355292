"""Whether an expression is PromQL, told on the control node."""

from __future__ import annotations

import promql_parser


def problem(expression: str) -> str:
    """Return what is wrong with an expression; empty when nothing is."""
    try:
        promql_parser.parse(expression)
    except ValueError as error:
        return " ".join(str(error).split())
    return ""
