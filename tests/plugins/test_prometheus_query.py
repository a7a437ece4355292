"""`prometheus_query` against a server that speaks Prometheus' API."""

from __future__ import annotations

import http.server
import json
import threading
import urllib.parse
from collections.abc import Callable, Iterator
from typing import Any, ClassVar, TypeAlias

import pytest

RunModule: TypeAlias = Callable[..., dict[str, Any]]
VECTOR = [{"metric": {"host": "a"}, "value": [1700000000, "1"]}]


class Prometheus(http.server.BaseHTTPRequestHandler):
    """Answers `up`, refuses all else as Prometheus does."""

    asked: ClassVar[list[tuple[str, dict[str, str]]]] = []

    def do_POST(self) -> None:
        length = int(self.headers["Content-Length"])
        form = dict(urllib.parse.parse_qsl(self.rfile.read(length).decode()))
        self.asked.append((self.path, form))
        good = form["query"] == "up"
        said: dict[str, object] = {"status": "success", "data": {"resultType": "vector", "result": VECTOR}}
        if not good:
            said = {"status": "error", "errorType": "bad_data", "error": "parse error: unexpected end"}
        body = json.dumps(said).encode()
        self.send_response(200 if good else 400)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def url() -> Iterator[str]:
    Prometheus.asked.clear()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Prometheus)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


def query(name: str, expr: str, **more: int) -> dict[str, Any]:
    return {"name": name, "expr": expr, "hours": 0, "points": 120, **more}


def run(run_module: RunModule, url: str, *queries: dict[str, Any]) -> dict[str, Any]:
    return run_module("prometheus_query", {"url": url, "queries": list(queries)})


def test_now(run_module: RunModule, url: str) -> None:
    result = run(run_module, url, query("up", "up"))
    assert not result["changed"]
    assert result["answers"] == {"up": {"result": VECTOR}}
    assert Prometheus.asked == [("/api/v1/query", {"query": "up"})]


def test_a_range_lies_on_the_grid_of_its_step(run_module: RunModule, url: str) -> None:
    run(run_module, url, query("week", "up", hours=168, points=168))
    ((path, form),) = Prometheus.asked
    assert path == "/api/v1/query_range"
    assert form["step"] == "3600"
    assert int(form["end"]) - int(form["start"]) == 168 * 3600
    assert int(form["end"]) % 3600 == 0


def test_one_that_is_refused_says_why_and_fails_no_other(run_module: RunModule, url: str) -> None:
    answers = run(run_module, url, query("bad", "sum("), query("good", "up"))["answers"]
    assert answers == {"bad": {"error": "parse error: unexpected end"}, "good": {"result": VECTOR}}


def test_an_absent_prometheus_is_an_answer_too(run_module: RunModule) -> None:
    result = run(run_module, "http://127.0.0.1:9", query("up", "up"))
    assert not result["failed"]
    assert "refused" in result["answers"]["up"]["error"].lower()
