"""Contract doubles of vector stores that no package index has, started as processes."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Self

import yaml
from stores import Server, free_port

DOUBLES = Path(__file__).parents[2] / "tests/doubles"


class StoreDouble(Server):
    """A contract double of a vector store, which no package index has."""

    @classmethod
    @contextmanager
    def started(cls, kind: str) -> Iterator[Self]:
        """Runs it."""
        port = free_port()
        with TemporaryDirectory(prefix="rackwright-app-") as name:
            place = Path(name)
            known = yaml.safe_load((DOUBLES / f"stores/{kind}.documented.yml").read_text(encoding="utf-8"))
            (place / "documented.json").write_text(json.dumps(known), encoding="utf-8")
            arguments, environment = _told(kind, place, port)
            searched = os.pathsep.join(str(DOUBLES / part) for part in ("engines", "stores"))
            variables = {"DOUBLE_DOCUMENTED": str(place / "documented.json"), "PYTHONPATH": searched}
            words = ["env", *(f"{name}={value}" for name, value in (variables | environment).items())]
            command = [*words, sys.executable, str(DOUBLES / f"stores/{kind}.py"), *arguments]
            with cls.running(port, command, place) as server:
                yield server

    def start(self) -> None:
        """Starts it as the user of the test run, whose files it needs."""
        self.user = None
        super().start()

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"


def _told(kind: str, place: Path, port: int) -> tuple[list[str], dict[str, str]]:
    if kind == "qdrant":
        storage = {"storage_path": str(place / "storage"), "snapshots_path": str(place / "snapshots")}
        configuration = {"storage": storage, "service": {"http_port": port}}
        (place / "config.yaml").write_text(yaml.safe_dump(configuration), encoding="utf-8")
        return ["--config-path", str(place / "config.yaml")], {}
    return (
        ["--host", "127.0.0.1", "--port", str(port), "--scheme", "http"],
        {"PERSISTENCE_DATA_PATH": str(place / "data"), "AUTHENTICATION_ANONYMOUS_ACCESS_ENABLED": "true"},
    )


# Beside pgvector, which is the app's own database: fixtures with a `url`.
STORES = ("chroma", "qdrant", "weaviate")
