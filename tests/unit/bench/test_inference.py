"""The load program against an engine of our own making, and what becomes of its figures."""

from __future__ import annotations

import asyncio
import http.server
import json
import threading
import time
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any, ClassVar

import pytest

from rackwright.bench.inference import Promise, Result, Step, require_bounded, steps_to, summarise
from rackwright.bench.inference_chart import chart_svg, page
from rackwright.bench.inference_load import Request, Settings, load
from rackwright.bench.inference_report import sentences
from rackwright.bench.inference_run import ask_url
from rackwright.errors import RackwrightError

FIRST_SECONDS, PIECES, PAUSE = 0.05, 5, 0.01


class Engine(http.server.BaseHTTPRequestHandler):
    """Streams an answer with known times; what it does else is told by the model's name."""

    protocol_version = "HTTP/1.1"
    asked: ClassVar[list[dict[str, Any]]] = []

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.asked.append(body | {"authorization": self.headers.get("Authorization")})
        if body["model"] == "full":
            self.send_response(503)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        time.sleep(30 if body["model"] == "stuck" else FIRST_SECONDS)
        for _ in range(PIECES):
            self._event({"choices": [{"delta": {"content": "word "}}]})
            time.sleep(PAUSE)
        if body["model"] == "breaks":
            return
        self._event({"choices": [], "usage": {"completion_tokens": 2 * PIECES}})
        self.wfile.write(b"data: [DONE]\n\n")

    def _event(self, data: dict[str, Any]) -> None:
        self.wfile.write(f"data: {json.dumps(data)}\n\n".encode())

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Keeps quiet."""


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    # A client that was cut off is no error of ours.
    block_on_close = False

    def handle_error(self, request: object, client_address: object) -> None:
        """Keeps quiet."""


@pytest.fixture
def url() -> Iterator[str]:
    Engine.asked.clear()
    server = Server(("127.0.0.1", 0), Engine)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}/v1"
    server.shutdown()
    server.server_close()
    thread.join()


def settings(url: str, **other: object) -> Settings:
    usual: dict[str, object] = {
        "url": url,
        "key": "the-key",
        "ca": "",
        "model": "good",
        "users": 2,
        "seconds": 0.5,
        "grace": 5,
        "silence": 5,
        "tokens": 10,
        "prompts": ["a", "b", "c"],
    }
    return Settings(**(usual | other))  # type: ignore[typeddict-item]


def test_each_user_asks_again_and_again(url: str) -> None:
    told = asyncio.run(load(settings(url)))
    assert {request["user"] for request in told} == {0, 1}
    assert len(told) == len(Engine.asked) > 2
    assert {request["error"] for request in told} == {""}
    # The engine's own count, not that of the pieces.
    assert {request["tokens"] for request in told} == {2 * PIECES}
    for request in told:
        assert request["first"] is not None
        assert FIRST_SECONDS <= request["first"] < request["ended"]
        assert request["ended"] - request["first"] >= (PIECES - 1) * PAUSE
    assert {entry["authorization"] for entry in Engine.asked} == {"Bearer the-key"}
    assert {entry["messages"][0]["content"] for entry in Engine.asked} == {"a", "b", "c"}


@pytest.mark.parametrize(("model", "error"), [("full", "status 503"), ("breaks", "broken")])
def test_what_goes_wrong_is_told(url: str, model: str, error: str) -> None:
    told = asyncio.run(load(settings(url, model=model, seconds=0.1)))
    assert {request["error"] for request in told} == {error}


def test_nobody_there(url: str) -> None:
    port = int(url.rsplit(":", 1)[1].removesuffix("/v1"))
    told = asyncio.run(load(settings(f"http://127.0.0.2:{port}/v1", seconds=0.1)))
    assert {request["error"] for request in told} <= {"connect"}
    assert told


def test_it_ends_by_itself(url: str) -> None:
    began = time.monotonic()
    told = asyncio.run(load(settings(url, model="stuck", seconds=0.2, grace=0.3, silence=60)))
    assert time.monotonic() - began < 5
    assert [request["error"] for request in told] == ["cut off", "cut off"]


def test_an_address_is_asked_from_here(url: str) -> None:
    said: list[str] = []
    asked = ask_url(url, (1, 2), key="", ca="", seconds=1, tokens=10, model="good", tell=said.append)
    assert [step.users for step in asked.steps] == [1, 2]
    assert asked.steps[0].errors == {}
    assert asked.steps[0].first_token is not None
    assert len(said) == 2


def request(
    first: float | None, ended: float, tokens: int = 11, error: str = "", began: float = 0
) -> Request:
    return {"user": 0, "began": began, "first": first, "ended": ended, "tokens": tokens, "error": error}


def test_percentiles_are_those_of_the_nearest_rank() -> None:
    step = summarise(3, [request(number / 100, 1 + number / 100) for number in range(1, 101)])
    assert step.first_token is not None
    assert (step.first_token.p50, step.first_token.p95, step.first_token.p99) == (0.5, 0.95, 0.99)
    # Ten tokens after the first, in a second; of speeds the worst is the lowest.
    assert step.speed is not None
    assert step.speed.p50 == pytest.approx(10)
    slow = summarise(1, [request(0, 10), *[request(0, 1)] * 99])
    assert slow.speed is not None
    assert (slow.speed.p50, slow.speed.p99) == (10, 10)
    assert summarise(1, [request(0, 10)] * 6 + [request(0, 1)] * 94).speed.p95 == 1  # type: ignore[union-attr]


def test_errors_are_counted_and_speak_for_nothing_else() -> None:
    step = summarise(
        2, [request(0.1, 1), request(None, 9, error="timeout"), request(None, 2, tokens=0), request(0.1, 1)]
    )
    assert step.errors == {"empty answer": 1, "timeout": 1}
    assert (step.requests, step.failed) == (4, 2)
    assert step.answer is not None
    assert step.answer.p99 == 1
    assert step.throughput == pytest.approx(22 / 9, abs=0.01)
    with pytest.raises(RackwrightError):
        summarise(1, [])


def test_steps_double_up_to_the_number() -> None:
    assert [steps_to(users) for users in (1, 2, 3, 10)] == [(1,), (1, 2), (1, 2, 3), (1, 2, 4, 8, 10)]


def test_more_than_the_tiers_users_are_refused() -> None:
    require_bounded(10, 10, "entry", force=False)
    require_bounded(11, 10, "entry", force=True)
    with pytest.raises(RackwrightError) as caught:
        require_bounded(11, 10, "entry", force=False)
    assert "--force" in str(caught.value.hint)


PROMISE = Promise(first_token_seconds=1, tokens_per_second=8)


def result(*steps: Step, target: str = "route") -> Result:
    return Result("https://a/v1", target, "app1", "<model>", "entry", 10, PROMISE, 128, steps)


GOOD = summarise(10, [request(0.5, 1.5)] * 20)
LATE = summarise(10, [request(2, 3)] * 20)
SLOW = summarise(10, [request(0.5, 10.5)] * 20)
FAILED = summarise(10, [request(0.5, 1.5), request(None, 1, error="status 502")])
FEW = summarise(4, [request(0.5, 1.5)] * 20)


@pytest.mark.parametrize(
    ("steps", "kept", "word"),
    [
        ((GOOD,), True, "kept with 10"),
        ((LATE,), False, "the first token took 2.00 s"),
        ((SLOW,), False, "1.0 tokens/s"),
        ((FAILED,), False, "1 of 2 requests failed (1 status 502)"),
        ((FEW, LATE), False, "it held with up to 4 users"),
        ((FEW,), True, "fewer than the tier's 10"),
    ],
)
def test_the_promise_is_judged_at_the_most_users(steps: tuple[Step, ...], kept: bool, word: str) -> None:
    found = result(*steps)
    assert found.kept is kept
    assert found.as_dict()["kept"] is kept
    assert word in "; ".join(sentences(found))


class Balanced(HTMLParser):
    """Refuses tags that are not closed in their order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert not any(name in {"src", "href"} for name, _ in attrs), "the page stands alone"
        if tag != "meta":
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Opens nothing."""

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_stands_alone() -> None:
    found = result(FEW, FAILED, summarise(12, [request(None, 1, error="connect")]))
    text = page(found)
    parser = Balanced()
    parser.feed(text)
    assert parser.open == []
    assert "&lt;model&gt;" in text
    assert "<model>" not in text
    assert "1 status 502" in text
    assert chart_svg(found) in text
    # Of a step without answers there is no point, and none of the others is lost.
    assert chart_svg(found).count("<circle") == 2 * 3 * 2
