"""Vector stores with no snapshots: counted behind a closed door, copied, put back, and counted again."""

from __future__ import annotations

import io
import json
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest

from rackwright.backup.agent import files, vectors
from rackwright.backup.agent.shell import Failed


class Server(BaseHTTPRequestHandler):
    """Answers about collections as Milvus and Weaviate do."""

    entries: ClassVar[dict[str, int | None]] = {}
    seen: ClassVar[list[str]] = []

    def do_POST(self) -> None:
        """Answer."""
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        name = body.get("collectionName", "")
        if self.path == "/v1/graphql":
            name = body["query"].split()[3]
            self.say({"data": {"Aggregate": {name: [{"meta": {"count": self.entries[name]}}]}}})
            return
        answers: dict[str, Any] = {
            "collections/list": lambda: list(self.entries),
            "collections/get_load_state": lambda: {
                "loadState": "LoadStateNotLoad" if self.entries[name] is None else "LoadStateLoaded"
            },
            "entities/query": lambda: [{"count(*)": self.entries[name]}],
        }
        self.say({"code": 0, "data": answers[self.path.removeprefix("/v2/vectordb/")]()})

    def do_GET(self) -> None:
        """Answer about the schema."""
        self.say({"classes": [{"class": name} for name in self.entries]})

    def say(self, content: object) -> None:
        """Send an answer."""
        self.seen.append(self.headers["Authorization"])
        text = json.dumps(content).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Say nothing."""


@pytest.fixture
def events(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """What is done to the units and the container, in order; copies are made for real."""
    done: list[str] = []

    def run(words: list[str], *, check: bool = True, **_: object) -> subprocess.CompletedProcess[str]:
        if words[0] in {"cp", "chown", "chmod"}:
            return subprocess.run(words, check=check, capture_output=True, text=True)
        if words[:2] != ["docker", "inspect"] and words[1] != "is-active":
            done.append(" ".join(words))
        return subprocess.CompletedProcess(words, 0, "true\n", "")

    monkeypatch.setattr(vectors, "run", run)
    monkeypatch.setattr(files, "run", run)
    monkeypatch.setattr(files, "STAGING", tmp_path / "staging")
    monkeypatch.setattr(vectors, "START_SECONDS", 5)
    return done


@pytest.fixture(params=["milvus", "weaviate"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[dict[str, Any]]:
    """A store with a file, whose server has two collections."""
    data = tmp_path / "data"
    data.mkdir()
    (data / "segment").write_text("vectors")
    (tmp_path / "key").write_text("key\n")
    Server.entries, Server.seen = {"One": 3, "Two": 0}, []
    with ThreadingHTTPServer(("127.0.0.1", 0), Server) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield {
            "name": "data1/store",
            "dialect": request.param,
            "url": f"http://127.0.0.1:{server.server_port}",
            "api_key_file": str(tmp_path / "key"),
            "paths": [str(data)],
            "stop": "container:store",
            "door": "rackwright-store-front",
        }
        server.shutdown()


DOOR = "rackwright-store-front.socket rackwright-store-front.service"
STILL = [f"systemctl stop {DOOR}", "docker stop store", "docker start store", f"systemctl start {DOOR}"]


def test_nobody_gets_in_between_the_count_and_the_copy(store: dict[str, Any], events: list[str]) -> None:
    out, held = io.BytesIO(), []
    vectors.send(store, out, lambda: held.append(list(events)))
    assert held == [STILL], "what is sent cannot change any more, and everybody is let in again"
    (data,) = map(Path, store["paths"])
    (data / "segment").write_text("other")
    events.clear()
    told = vectors.receive(store, io.BytesIO(out.getvalue()))
    assert events == STILL
    assert (told["entries"], told["files"]) == ({"One": 3, "Two": 0}, 1)
    assert (data / "segment").read_text() == "vectors"
    assert (data.with_name("data.before-restore") / "segment").read_text() == "other"
    user = "rackwright:" if store["dialect"] == "milvus" else ""
    assert set(Server.seen) == {f"Bearer {user}key"}


def test_another_number_of_entries_is_told(
    store: dict[str, Any], events: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vectors, "START_SECONDS", 600)
    monkeypatch.setattr(vectors, "REST_SECONDS", 2)
    out = io.BytesIO()
    vectors.send(store, out, lambda: None)
    Server.entries = {"One": 2}
    with pytest.raises(Failed, match="One has 2, not 3, Two has None, not 0"):
        vectors.receive(store, io.BytesIO(out.getvalue()))
    assert events[-1] == f"systemctl start {DOOR}", "the door is open again"


def test_counts_that_still_grow_are_waited_for(
    store: dict[str, Any], events: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    del events
    monkeypatch.setattr(vectors, "REST_SECONDS", 2)
    out = io.BytesIO()
    vectors.send(store, out, lambda: None)
    Server.entries = {"One": 0}
    growth = iter([{"One": 1}, {"One": 2}, {"One": 2, "Two": 0}, {"One": 3, "Two": 0}])
    monkeypatch.setattr(vectors.time, "sleep", lambda _: setattr(Server, "entries", next(growth)))
    told = vectors.receive(store, io.BytesIO(out.getvalue()))
    assert told["entries"] == {"One": 3, "Two": 0}


def test_a_server_that_does_not_answer_is_not_kept(
    store: dict[str, Any], events: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vectors, "START_SECONDS", 1)
    monkeypatch.setattr(vectors, "COUNT_SECONDS", 1)
    store["url"] = "http://127.0.0.1:9"
    with pytest.raises(Failed, match="cannot be counted"):
        vectors.send(store, io.BytesIO(), lambda: None)
    assert events == [f"systemctl stop {DOOR}", f"systemctl start {DOOR}"]


def test_what_is_not_in_memory_is_not_counted(store: dict[str, Any], events: list[str]) -> None:
    del events
    if store["dialect"] == "milvus":
        Server.entries = {"One": 1, "Cold": None}
        assert vectors._entries(store) == {"One": 1, "Cold": None}
