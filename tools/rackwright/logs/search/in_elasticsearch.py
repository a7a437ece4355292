"""Finds lines in Elasticsearch: by time, host and service there, by the pattern here: it means the same."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from rackwright.logs.agent.client import Client
from rackwright.logs.search.question import Line, Question

_PAGE = 1000
_JSON = {"Content-Type": "application/json"}
# The latest first; what is of one moment is told apart by where it stood.
_SORT = [{name: "desc"} for name in ("@timestamp", "host.name", "log.stream", "log.position")]


def found_in(client: Client, index: str, question: Question) -> Iterator[Line]:
    """Yield the lines that a question is about, the latest first; one more than are wanted at most.

    Raises:
        ValueError: The store refuses the question.
        UndeliveredError: It does not answer.
    """
    matches = question.matcher()
    body: dict[str, Any] = {"size": _PAGE, "query": {"bool": {"filter": _filters(question)}}, "sort": _SORT}
    found = 0
    while True:
        status, answer = client.post(f"/{index}-*/_search", json.dumps(body).encode(), _JSON)
        if status != 200:  # noqa: PLR2004 - what it answers when it has searched
            raise ValueError(f"Elasticsearch answers {status}: {answer[:300].decode('utf-8', 'replace')}")
        hits = json.loads(answer)["hits"]["hits"]
        for hit in hits:
            line = _line(hit)
            if matches(line["text"]):
                yield line
                found += 1
                if found > question.limit:
                    return
        if len(hits) < _PAGE:
            return
        body["search_after"] = hits[-1]["sort"]


def _filters(question: Question) -> list[dict[str, Any]]:
    first, last = question.span
    found: list[dict[str, Any]] = [{"range": {"@timestamp": {"gte": first, "lt": last}}}]
    for field, names in (("host.name", question.hosts), ("service.name", question.services)):
        if names:
            found.append({"terms": {field: sorted(names)}})
    return found


def _line(hit: dict[str, Any]) -> Line:
    told = hit["_source"]
    log = told["log"]
    found = {
        "time": told["@timestamp"],
        "id": hit["_id"],
        "service": told["service"]["name"],
        "source": log["source"],
        "stream": log["stream"],
        "position": log["position"],
        "text": told["message"],
        "host": told["host"]["name"],
    }
    return {**found, "level": log["level"]} if log.get("level") else found
