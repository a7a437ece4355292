"""golden_prompts: what came is judged by what was expected, and said in both."""

from __future__ import annotations

import http.server
import json
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import pytest

Result: TypeAlias = dict[str, Any]
RunModule: TypeAlias = Callable[..., Result]


class Engine(http.server.BaseHTTPRequestHandler):
    """Says what it is told to say."""

    answers: list[str]
    asked: list[Result]
    pause: float = 0.0
    between: float = 0.0
    whole = True
    status = 200

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.asked.append({**body, "key": self.headers.get("Authorization")})
        time.sleep(self.pause)
        text = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        self.send_response(self.status)
        self.end_headers()
        if self.status != 200:
            self.wfile.write(json.dumps({"error": "busy"}).encode())
            return
        for word in text.split(" "):
            self.say({"choices": [{"delta": {"content": f"{word} "}}]})
            time.sleep(self.between)
        if self.whole:
            self.say({"choices": [{"delta": {}, "finish_reason": "stop"}]})
            self.say({"choices": [], "usage": {"completion_tokens": len(text.split())}})
            self.wfile.write(b"data: [DONE]\n\n")

    def say(self, part: Result) -> None:
        self.wfile.write(b"data: " + json.dumps(part).encode() + b"\n\n")
        self.wfile.flush()

    def log_message(self, *_: object) -> None:
        """Keep the tests' output clean."""


@pytest.fixture
def engine() -> Iterator[tuple[str, type[Engine]]]:
    handler = type("Handler", (Engine,), {"answers": ["the answer is 42"], "asked": []})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/v1", handler
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def ask(run_module: RunModule, engine: tuple[str, type[Engine]]) -> Callable[..., Result]:
    """Ask one prompt; returns its answer."""

    def asked(promise: Result | None = None, **prompt: Any) -> Result:  # noqa: ANN401 - what a prompt may say
        given = {"name": "one", "prompt": "What?", **prompt}
        server = {"base_url": engine[0], "api_key": "k" * 16, "model": "m"}
        told = run_module("golden_prompts", {**server, "promise": promise or {}, "prompts": [given]})
        assert (told["failed"], told["changed"]) == (False, False)
        answer: Result = told["answers"][0]
        assert told["ok"] == answer["ok"]
        return answer

    return asked


def test_a_right_answer(ask: Callable[..., Result], engine: tuple[str, type[Engine]]) -> None:
    answer = ask(contains=["42"], pattern="answer is [0-9]+", system="Be short.", promise={})
    assert (answer["ok"], answer["why"], answer["tokens"]) == (True, "", 4)
    (asked,) = engine[1].asked
    assert (asked["temperature"], asked["seed"], asked["key"]) == (0, 0, f"Bearer {'k' * 16}")
    assert [each["role"] for each in asked["messages"]] == ["system", "user"]


@pytest.mark.parametrize(
    ("prompt", "why"),
    [
        ({"contains": ["43"]}, '"the answer is 42 " came; it was expected to contain "43"'),
        ({"pattern": "^42$"}, "it was expected to match ^42$"),
        ({"maximum_first_token_seconds": -1}, "the first token came after 0.0 s"),
        ({"minimum_tokens": 5}, "4 tokens came"),
        ({"minimum_tokens_per_second": 1e9}, "1000000000.0 were expected"),
    ],
)
def test_a_wrong_answer_is_told_with_what_was_expected(
    ask: Callable[..., Result], prompt: Result, why: str
) -> None:
    answer = ask(**prompt)
    assert not answer["ok"]
    assert why in answer["why"]


def test_nothing_but_space_is_no_answer(ask: Callable[..., Result], engine: tuple[str, type[Engine]]) -> None:
    engine[1].answers = [" \n"]
    assert "0 tokens came" in ask()["why"]


def test_two_answers_to_one_question(ask: Callable[..., Result], engine: tuple[str, type[Engine]]) -> None:
    engine[1].answers = ["one", "two"]
    assert '"one " came, and "two " the second time' in ask(same=True)["why"]
    engine[1].answers = ["one"]
    assert ask(same=True)["ok"]


def test_a_slow_answer(ask: Callable[..., Result], engine: tuple[str, type[Engine]]) -> None:
    engine[1].pause = 0.3
    answer = ask(maximum_seconds=0.1)
    assert "at most 0.1 s were expected" in answer["why"]


def test_what_people_are_promised(ask: Callable[..., Result], engine: tuple[str, type[Engine]]) -> None:
    engine[1].answers = ["a few words that take their time to be said"]
    engine[1].pause, engine[1].between = 0.2, 0.05
    answer = ask()
    assert answer["ok"]
    assert 0.2 <= answer["first_token_seconds"] < answer["seconds"]
    # Twenty a second come, however long the first one took.
    assert 5 < answer["tokens_per_second"] < 30
    assert "at least 40.0 were expected" in ask(promise={"tokens_per_second": 40})["why"]
    assert "at most 0.1 s were expected" in ask(promise={"first_token_seconds": 0.1})["why"]
    assert ask(promise={"tokens_per_second": 40}, minimum_tokens_per_second=1)["ok"]
    # A short answer tells nothing of the speed, unless its question asks for it.
    engine[1].answers = ["a few words"]
    assert ask(promise={"tokens_per_second": 1e6})["ok"]
    assert not ask(minimum_tokens_per_second=1e6)["ok"]


def test_an_answer_that_breaks_off(ask: Callable[..., Result], engine: tuple[str, type[Engine]]) -> None:
    engine[1].whole = False
    assert "the answer broke off" in ask()["why"]


def test_an_engine_that_refuses(ask: Callable[..., Result], engine: tuple[str, type[Engine]]) -> None:
    engine[1].status = 503
    assert "status 503 Service Unavailable" in ask()["why"]


def test_an_engine_that_is_not_there(run_module: RunModule) -> None:
    told = run_module(
        "golden_prompts",
        {"base_url": "http://127.0.0.1:9/v1", "model": "m", "prompts": [{"name": "a", "prompt": "b"}]},
    )
    assert told["ok"] is False
    assert "refused" in told["answers"][0]["why"]


def test_what_is_no_url_is_refused(run_module: RunModule) -> None:
    assert run_module("golden_prompts", {"base_url": "file:///etc", "model": "m", "prompts": []})["failed"]
