"""Searches of the double of Elasticsearch: a filter of ranges and terms, sorted by fields, page by page."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

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
    tests = [_test(kind, about) for clause in filters for kind, about in clause.items()]
    hits = [
        {
            "_index": place,
            "_id": number,
            "_source": content,
            "sort": [_at(content, name) for name in _names(sort)],
        }
        for _, place, number, content in lines.found(pattern, 0, 10**9)
        if all(test(content) for test in tests)
    ]
    hits.sort(key=lambda hit: hit["sort"], reverse=True)
    if after is not None:
        hits = [hit for hit in hits if hit["sort"] < after]
    return {"hits": {"total": {"value": len(hits), "relation": "eq"}, "hits": hits[:size]}}


def _names(sort: list[Json]) -> list[str]:
    if any(list(entry.values()) != ["desc"] for entry in sort):
        raise refuse("the double sorts downwards alone", "parsing_exception")
    return [name for entry in sort for name in entry]


def _test(kind: str, about: Json) -> Callable[[Json], bool]:
    (field, wanted) = next(iter(about.items()))
    if kind == "terms":
        return lambda content: _at(content, field) in wanted
    if set(wanted) != {"gte", "lt"}:
        raise refuse("not known here", "parsing_exception")
    return lambda content: bool(wanted["gte"] <= _at(content, field) < wanted["lt"])


def _at(content: Any, path: str) -> Any:  # noqa: ANN401 - whatever a document has there
    for name in path.split("."):
        content = content[name]
    return content
