"""Where the double of Elasticsearch keeps documents: a database, so that a restart loses none."""

from __future__ import annotations

import fnmatch
import json
import sqlite3
import threading
from datetime import datetime
from pathlib import Path
from typing import Any

Json = dict[str, Any]
# A condition of SQL, and its values.
Condition = tuple[str, list[object]]


class Lines:
    """Documents by index and id, in the order in which they came."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        self._path = path
        self._base = sqlite3.connect(path, check_same_thread=False)
        self._base.execute(
            "CREATE TABLE IF NOT EXISTS lines (number INTEGER PRIMARY KEY, place TEXT, id TEXT, content TEXT,"
            " UNIQUE (place, id))"
        )
        # What is searched is of some minutes, out of all that is here.
        self._base.execute(
            """CREATE INDEX IF NOT EXISTS moments ON lines (json_extract(content, '$."@timestamp"'))"""
        )
        self._base.commit()

    def create(self, wanted: list[tuple[str, str, Json]]) -> list[bool]:
        """Keep each whose id is not there; tell of each whether it was new."""
        with self._lock:
            made = [
                self._base.execute(
                    "INSERT OR IGNORE INTO lines (place, id, content) VALUES (?, ?, ?)",
                    (place, number, json.dumps(content)),
                ).rowcount
                == 1
                for place, number, content in wanted
            ]
            self._base.commit()
        return made

    def found(self, pattern: str, after: int, size: int) -> list[tuple[int, str, str, Json]]:
        """Return documents of the indices of a pattern, in the order in which they came."""
        with self._lock:
            rows = self._base.execute(
                "SELECT number, place, id, content FROM lines WHERE number > ? ORDER BY number LIMIT ?",
                (after, size),
            ).fetchall()
        return [(n, p, i, json.loads(c)) for n, p, i, c in rows if fnmatch.fnmatch(p, pattern)]

    def sorted(
        self, pattern: str, conditions: list[Condition], order: list[str], size: int
    ) -> list[tuple[str, str, Json, list[Any]]]:
        """Return documents that conditions of SQL are true of, with what they are sorted by, downwards."""
        where, values = self._where(pattern, conditions)
        named = ", ".join(["place", "id", "content", *order])
        down = ", ".join(f"{each} DESC" for each in order) or "number"
        with self._lock:
            rows = self._base.execute(
                f"SELECT {named} FROM lines WHERE {where} ORDER BY {down} LIMIT ?",  # noqa: S608
                [*values, size],
            ).fetchall()
        return [(place, number, json.loads(content), list(at)) for place, number, content, *at in rows]

    def matching(self, pattern: str, conditions: list[Condition]) -> int:
        """Return how many documents conditions of SQL are true of."""
        where, values = self._where(pattern, conditions)
        with self._lock:
            (count,) = self._base.execute(
                f"SELECT count(*) FROM lines WHERE {where}",  # noqa: S608
                values,
            ).fetchone()
        return int(count)

    @staticmethod
    def _where(pattern: str, conditions: list[Condition]) -> tuple[str, list[object]]:
        every: list[Condition] = [("place GLOB ?", [pattern]), *conditions]
        return " AND ".join(text for text, _ in every), [value for _, values in every for value in values]

    def count(self, pattern: str) -> int:
        """Return how many documents the indices of a pattern hold."""
        with self._lock:
            rows = self._base.execute("SELECT place, count(*) FROM lines GROUP BY place").fetchall()
        return sum(number for place, number in rows if fnmatch.fnmatch(place, pattern))

    def size(self) -> int:
        """Return how many bytes they take."""
        return self._path.stat().st_size


def mapping_problem(content: Json, mapping: Json, path: str = "") -> str | None:
    """Return the type of the error that a document makes under a mapping whose `dynamic` is strict."""
    properties = mapping.get("properties", {})
    for name, value in content.items():
        about = properties.get(name)
        if about is None:
            return (
                "strict_dynamic_mapping_exception" if mapping.get("dynamic", "strict") == "strict" else None
            )
        if "properties" in about:
            if not isinstance(value, dict):
                return "document_parsing_exception"
            problem = mapping_problem(value, {**about, "dynamic": mapping.get("dynamic")}, f"{path}{name}.")
            if problem:
                return problem
        elif not _fits(value, about.get("type", "text")) or _depth(value) > about.get("depth_limit", 20):
            return "document_parsing_exception"
    return None


def _depth(value: object) -> int:
    """Return how many objects stand within one another."""
    return 1 + max(map(_depth, value.values()), default=0) if isinstance(value, dict) else 0


def _fits(value: object, kind: str) -> bool:
    match kind:
        case "date":
            try:
                datetime.fromisoformat(str(value))
            except ValueError:
                return False
            return True
        case "long" | "integer":
            return isinstance(value, int) and not isinstance(value, bool)
        case "flattened":
            return isinstance(value, dict)
        case "keyword" | "text":
            return not isinstance(value, dict)
        case _:
            return True
