"""Searches of the double of Elasticsearch: a filter of ranges and terms, sorted by fields, page by page."""

from __future__ import annotations

import re

from common import Json
from lines import Lines
from objects import refuse

# Reference, "Query DSL" and "Paginate search results": of these what is used here.
_CLAUSES = {"range", "terms"}
_BODY = {"query", "size", "sort", "search_after"}
_MOST = 10_000


def searched(lines: Lines, body: Json, pattern: str) -> Json:
    """Answer a search with a query.

    What is not known here, or wrong, is refused.
    """
    filters = body["query"].get("bool", {}).get("filter")
    size, sort, after = int(body.get("size", 10)), body.get("sort", []), body.get("search_after")
    if set(body) - _BODY or filters is None or any(set(clause) - _CLAUSES for clause in filters):
        raise refuse("not known here", "parsing_exception")
    if size > _MOST or (after is not None and len(after) != len(sort)):
        raise refuse("size or search_after", "illegal_argument_exception")
    conditions = [_condition(kind, about) for clause in filters for kind, about in clause.items()]
    order = [_field(name) for name in _names(sort)]
    total = lines.matching(pattern, conditions)
    if after is not None:
        conditions.append((f"({', '.join(order)}) < ({_places(after)})", after))
    hits = [
        {"_index": place, "_id": number, "_source": content, "sort": at}
        for place, number, content, at in lines.sorted(pattern, conditions, order, size)
    ]
    return {"hits": {"total": {"value": total, "relation": "eq"}, "hits": hits}}


def _names(sort: list[Json]) -> list[str]:
    if any(list(entry.values()) != ["desc"] for entry in sort):
        raise refuse("the double sorts downwards alone", "parsing_exception")
    return [name for entry in sort for name in entry]


def _condition(kind: str, about: Json) -> tuple[str, list[object]]:
    """Return a condition of SQL, and its values."""
    (name, wanted) = next(iter(about.items()))
    if kind == "terms":
        return f"{_field(name)} IN ({_places(wanted)})", wanted
    if set(wanted) != {"gte", "lt"}:
        raise refuse("not known here", "parsing_exception")
    return f"{_field(name)} >= ? AND {_field(name)} < ?", [wanted["gte"], wanted["lt"]]


def _field(name: str) -> str:
    if not re.fullmatch(r"[@\w]+(\.\w+)*", name):
        raise refuse("no field's name", "parsing_exception")
    path = ".".join(f'"{part}"' for part in name.split("."))
    return f"json_extract(content, '$.{path}')"


def _places(values: list[object]) -> str:
    return ", ".join("?" * len(values))
