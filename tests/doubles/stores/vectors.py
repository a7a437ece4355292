"""What the doubles of vector stores share: vectors on disk, the nearest ones, a check of configurations."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from common import fail

Json = dict[str, Any]
_KINDS: dict[str, tuple[type, ...]] = {
    "text": (str, type(None)),
    "int": (int, type(None)),
    "number": (int, float, type(None)),
    "bool": (bool,),
}


def check_configuration(known: Json, given: object, at: str = "") -> None:
    """End at a key that is not documented, or at a value of another kind, as a strict program would."""
    if not isinstance(given, dict):
        fail(f"configuration: {at or 'the file'} must be a mapping, not {given!r}")
    for key, value in given.items():
        path = f"{at}.{key}".lstrip(".")
        if key not in known:
            fail(f"configuration: unknown field `{path}`, expected one of {', '.join(known)}")
        kind = known[key]
        if isinstance(kind, dict):
            check_configuration(kind, value, path)
        elif kind != "any" and (
            not isinstance(value, _KINDS[kind]) or (kind == "int" and isinstance(value, bool))
        ):
            fail(f"configuration: `{path}` must be {kind}, not {value!r}")


class Collections:
    """Collections in files of a directory: each {name, about, points: {id: {vector, payload}}}."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.lock = threading.RLock()
        directory.mkdir(parents=True, exist_ok=True)

    def names(self) -> list[str]:
        """Return the names of all."""
        return sorted(path.stem for path in self.directory.glob("*.json"))

    def read(self, name: str) -> Json | None:
        """Return a collection; None when there is none."""
        path = self.directory / f"{name}.json"
        found: Json | None = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None
        return found

    def write(self, name: str, content: Json) -> None:
        """Write a collection, whole or not at all."""
        new = self.directory / f".{name}.new"
        new.write_text(json.dumps(content), encoding="utf-8")
        new.replace(self.directory / f"{name}.json")

    def remove(self, name: str) -> bool:
        """Remove a collection; False when there is none."""
        path = self.directory / f"{name}.json"
        there = path.is_file()
        path.unlink(missing_ok=True)
        return there


def nearest(points: Json, vector: list[float], limit: int) -> list[tuple[str, float]]:
    """Return ids and cosine similarities of the nearest points."""

    def likeness(other: list[float]) -> float:
        dot = sum(a * b for a, b in zip(vector, other, strict=True))
        size = (sum(a * a for a in vector) * sum(b * b for b in other)) ** 0.5
        return dot / size if size else 0.0

    scored = [(key, likeness(point["vector"])) for key, point in points.items()]
    return sorted(scored, key=lambda item: -item[1])[:limit]


def chosen(points: Json, condition: Callable[[Json], bool]) -> Json:
    """Return the points whose payload meets a condition."""
    return {key: point for key, point in points.items() if condition(point["payload"])}
