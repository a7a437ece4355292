"""Finds lines in the files of the log server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from rackwright.logs.files.layout import lines_at, places
from rackwright.logs.search.question import Line, Question


def found_in(root: Path, question: Question) -> Iterator[Line]:
    """Yield the lines of a directory that a question is about, in no order, some twice."""
    matches = question.matcher()
    first, last = question.span
    for place in places(root, question.since, question.end, question.hosts, question.services):
        for raw in lines_at(place, root):
            try:
                line: Line = json.loads(raw)
            except ValueError:
                continue
            if first <= line["time"] < last and matches(line["text"]):
                yield {**line, "zone": place.zone, "host": place.host}
