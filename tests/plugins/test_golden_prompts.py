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
    status = 200

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.asked.append({**body, "key": self.headers.get("Authorization")})
        time.sleep(self.pause)
        text = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        said = {
            "choices": [{"message": {"content": text}}],
            "usage": {"completion_tokens": len(text.split())},
        }
        self.send_response(self.status)
        self.end_headers()
        self.wfile.write(json.dumps(said if self.status == 200 else {"error": "busy"}).encode())

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

    def asked(**prompt: Any) -> Result:  # noqa: ANN401 - what a prompt may say
        given = {"name": "one", "prompt": "What?", **prompt}
        told = run_module(
            "golden_prompts", {"base_url": engine[0], "api_key": "k" * 16, "model": "m", "prompts": [given]}
        )
        assert (told["failed"], told["changed"]) == (False, False)
        answer: Result = told["answers"][0]
        assert told["ok"] == answer["ok"]
        return answer

    return asked


def test_a_right_answer(ask: Callable[..., Result], engine: tuple[str, type[Engine]]) -> None:
    answer = ask(contains=["42"], pattern="answer is [0-9]+", system="Be short.")
    assert (answer["ok"], answer["why"], answer["tokens"]) == (True, "", 4)
    (asked,) = engine[1].asked
    assert (asked["temperature"], asked["seed"], asked["key"]) == (0, 0, f"Bearer {'k' * 16}")
    assert [each["role"] for each in asked["messages"]] == ["system", "user"]


@pytest.mark.parametrize(
    ("prompt", "why"),
    [
        ({"contains": ["43"]}, '"the answer is 42" came; it was expected to contain "43"'),
        ({"pattern": "^42$"}, "it was expected to match ^42$"),
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
    assert '"one" came, and "two" the second time' in ask(same=True)["why"]
    engine[1].answers = ["one"]
    assert ask(same=True)["ok"]


def test_a_slow_answer(ask: Callable[..., Result], engine: tuple[str, type[Engine]]) -> None:
    engine[1].pause = 0.3
    answer = ask(maximum_seconds=0.1)
    assert "at most 0.1 s were expected" in answer["why"]


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
