"""The environment of a workflow's templates, and the program that renders them (``bounded``).

A template sees texts, numbers, lists and mappings, in a sandbox that lets none of Python's own attributes be
reached, and renders in a process without secrets that ends after seconds. It has no function that opens a
file or an address.
"""

from __future__ import annotations

import sys
from typing import Any

from jinja2 import StrictUndefined, TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from rackwright_app.bounded import answer_and_end, limited

_FILTERS = frozenset(
    {
        *(
            "abs",
            "batch",
            "capitalize",
            "default",
            "d",
            "dictsort",
            "first",
            "float",
            "groupby",
            "int",
            "items",
        ),
        *("join", "last", "length", "count", "list", "lower", "map", "max", "min", "reject", "rejectattr"),
        *("replace", "reverse", "round", "select", "selectattr", "slice", "sort", "string", "sum", "title"),
        *("tojson", "trim", "truncate", "unique", "upper", "wordcount"),
    }
)
_GLOBALS = frozenset({"range", "dict"})
OUTPUT_CHARACTERS = 100_000


def environment() -> ImmutableSandboxedEnvironment:
    """Makes the environment."""
    made = ImmutableSandboxedEnvironment(undefined=StrictUndefined, autoescape=False, cache_size=0)
    made.filters = {name: each for name, each in made.filters.items() if name in _FILTERS}
    made.globals = {name: each for name, each in made.globals.items() if name in _GLOBALS}
    return made


def render(task: dict[str, Any]) -> dict[str, Any]:
    """Renders templates.

    Args:
        task: ``templates``, and the ``values`` that they know.

    Returns:
        ``texts``; or ``problem``, what is wrong with a template.
    """
    made = environment()
    try:
        texts = [_short(made.from_string(text).render(task["values"])) for text in task["templates"]]
    except (TemplateError, ArithmeticError, TypeError, ValueError, LookupError, AttributeError) as error:
        return {"problem": f"{type(error).__name__}: {error}"[:300]}
    except RecursionError:
        return {"problem": "RecursionError"}
    return {"texts": texts}


def _short(text: str) -> str:
    if len(text) > OUTPUT_CHARACTERS:
        raise ValueError(f"the result has more than {OUTPUT_CHARACTERS} characters")
    return text


if __name__ == "__main__":
    answer_and_end(render, limited(sys.argv))
