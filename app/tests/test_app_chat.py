"""Asking the model: streams, history, failures, clients that go."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from typing import Any

import httpx
import psycopg
import pytest
from app_server import RunningApp, eventually, figure
from engine_double import EngineDouble, Script
from httpx_sse import connect_sse
from stores import free_port

from rackwright_app.settings import Settings


def stream(client: httpx.Client, **body: object) -> list[tuple[str, dict[str, Any]]]:
    with connect_sse(client, "POST", "/api/chat", json=body) as source:
        assert source.response.status_code == 200, source.response.read()
        return [(event.event, event.json()) for event in source.iter_sse()]


def test_stream_brings_session_tokens_and_done_in_order(client: httpx.Client, engine: EngineDouble) -> None:
    events = stream(client, message="Hello")
    assert [name for name, _ in events] == ["session", "token", "token", "token", "token", "done"]
    assert "".join(data["text"] for name, data in events if name == "token") == "Good day to all."
    done = events[-1][1]
    assert done["session"] == events[0][1]["session"]
    assert done["finish_reason"] == "stop"
    assert done["usage"] == {"prompt_tokens": 7, "completion_tokens": 4}
    assert engine.keys == ["Bearer engine-key"]
    assert engine.questions[0]["messages"] == [{"role": "user", "content": "Hello"}]


def test_tokens_come_one_by_one_and_not_at_the_end(client: httpx.Client, engine: EngineDouble) -> None:
    engine.script = Script(pieces=["a ", "b"], pause_seconds=1.0)
    with connect_sse(client, "POST", "/api/chat", json={"message": "Hello"}) as source:
        began = time.monotonic()
        events = source.iter_sse()
        assert next(events).event == "session"
        assert next(events).json() == {"text": "a "}
        assert time.monotonic() - began < 0.9
        assert [event.event for event in events] == ["token", "done"]


def test_silence_is_filled_with_comments(client: httpx.Client, engine: EngineDouble) -> None:
    engine.script = Script(first_pause_seconds=0.7)
    with client.stream("POST", "/api/chat", json={"message": "Hello"}) as response:
        text = response.read().decode()
    assert text.count(": keep-alive\n\n") >= 2
    assert response.headers["content-type"].startswith("text/event-stream")
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["x-accel-buffering"] == "no"


def test_line_breaks_in_an_answer_do_not_break_the_stream(client: httpx.Client, engine: EngineDouble) -> None:
    engine.script = Script(pieces=["one\n\nevent: done\ndata: {}\n\n", "two\r"])
    events = stream(client, message="Hello")
    assert [name for name, _ in events] == ["session", "token", "token", "done"]
    assert events[1][1]["text"] == "one\n\nevent: done\ndata: {}\n\n"


def test_whole_answer_as_json(client: httpx.Client) -> None:
    answer = client.post("/api/chat", json={"message": "Hello", "stream": False})
    assert answer.status_code == 200
    body = answer.json()
    assert body["answer"] == "Good day to all."
    assert body["usage"] == {"prompt_tokens": 7, "completion_tokens": 4}
    assert uuid.UUID(body["session"])


def test_a_session_goes_on_with_its_history(client: httpx.Client, engine: EngineDouble) -> None:
    first = client.post("/api/chat", json={"message": "My name is Li.", "stream": False}).json()
    engine.script = Script(pieces=["Li", "."], with_usage=False)
    second = client.post(
        "/api/chat", json={"message": "What is my name?", "session": first["session"], "stream": False}
    ).json()
    assert second["session"] == first["session"]
    assert second["usage"] == {"prompt_tokens": None, "completion_tokens": None}
    assert engine.questions[1]["messages"] == [
        {"role": "user", "content": "My name is Li."},
        {"role": "assistant", "content": "Good day to all."},
        {"role": "user", "content": "What is my name?"},
    ]
    read = client.get(f"/api/sessions/{first['session']}").json()
    assert [(message["role"], message["content"]) for message in read["messages"]] == [
        ("user", "My name is Li."),
        ("assistant", "Good day to all."),
        ("user", "What is my name?"),
        ("assistant", "Li."),
    ]


def test_only_the_last_turns_go_along(
    settings: Settings,
    start_app: Callable[[Settings], RunningApp],
    engine: EngineDouble,
    token: Callable[..., str],
) -> None:
    app = start_app(settings.model_copy(update={"history": settings.history.model_copy(update={"turns": 2})}))
    with httpx.Client(base_url=app.url, headers={"Authorization": f"Bearer {token()}"}) as client:
        session = None
        for number in range(5):
            body = {"message": f"number {number}", "session": session, "stream": False}
            session = client.post("/api/chat", json=body).json()["session"]
    asked = [message["content"] for message in engine.questions[-1]["messages"] if message["role"] == "user"]
    assert asked == ["number 2", "number 3", "number 4"]


def test_sessions_are_listed_last_used_first(client: httpx.Client) -> None:
    first = client.post("/api/chat", json={"message": "one", "stream": False}).json()["session"]
    second = client.post("/api/chat", json={"message": "two  words", "stream": False}).json()["session"]
    client.post("/api/chat", json={"message": "again", "session": first, "stream": False})
    listed = client.get("/api/sessions").json()["sessions"]
    assert [(item["id"], item["title"]) for item in listed] == [(first, "one"), (second, "two words")]
    page = client.get("/api/sessions", params={"before": listed[0]["updated_at"]}).json()["sessions"]
    assert [item["id"] for item in page] == [second]


def test_another_users_session_does_not_exist(
    app: RunningApp, client: httpx.Client, token: Callable[..., str]
) -> None:
    session = client.post("/api/chat", json={"message": "private", "stream": False}).json()["session"]
    with httpx.Client(base_url=app.url, headers={"Authorization": f"Bearer {token('mallory')}"}) as other:
        read = other.get(f"/api/sessions/{session}")
        asked = other.post("/api/chat", json={"message": "go on", "session": session, "stream": False})
        listed = other.get("/api/sessions")
    assert (read.status_code, asked.status_code) == (404, 404)
    assert read.json() == asked.json() == other_unknown(client)
    assert listed.json() == {"sessions": []}


def other_unknown(client: httpx.Client) -> dict[str, Any]:
    """What a session that nobody has answers: another user's must not differ from it."""
    found: dict[str, Any] = client.get(f"/api/sessions/{uuid.uuid4()}").json()
    return found


def test_engine_down_is_an_error_event_and_counted(
    client: httpx.Client, engine: EngineDouble, database: psycopg.Connection[dict[str, Any]]
) -> None:
    engine.stop()
    before = figure("engine_errors_total", kind="connect")
    events = stream(client, message="Hello")
    assert [name for name, _ in events] == ["session", "error"]
    assert events[1][1]["code"] == "engine_unavailable"
    assert figure("engine_errors_total", kind="connect") == before + 1
    answer = client.post("/api/chat", json={"message": "Hello", "stream": False})
    assert answer.status_code == 502
    assert answer.json()["error"]["code"] == "engine_unavailable"
    statuses = database.execute("SELECT status FROM turns").fetchall()
    assert [row["status"] for row in statuses] == ["failed", "failed"]


@pytest.mark.parametrize(
    ("script", "code", "tokens"),
    [
        (Script(status=500), "engine_failed", 0),
        (Script(status=400), "engine_refused", 0),
        (Script(pieces=["a", "b"], break_after=1), "engine_broke_off", 1),
        (Script(pieces=["a", "b"], error_after=1), "engine_failed", 1),
    ],
)
def test_engine_failures_end_the_stream_with_an_error(
    client: httpx.Client, engine: EngineDouble, script: Script, code: str, tokens: int
) -> None:
    engine.script = script
    events = stream(client, message="Hello")
    assert [name for name, _ in events] == ["session", *["token"] * tokens, "error"]
    assert events[-1][1]["code"] == code


def test_a_silent_engine_is_given_up(
    settings: Settings,
    start_app: Callable[[Settings], RunningApp],
    engine: EngineDouble,
    token: Callable[..., str],
) -> None:
    engine.script = Script(first_pause_seconds=5)
    app = start_app(
        settings.model_copy(update={"engine": settings.engine.model_copy(update={"silence_seconds": 0.3})})
    )
    with httpx.Client(base_url=app.url, headers={"Authorization": f"Bearer {token()}"}) as client:
        assert stream(client, message="Hello")[-1][1]["code"] == "engine_timeout"
        answer = client.post("/api/chat", json={"message": "Hello", "stream": False})
    assert answer.status_code == 504


def test_another_engine_answers_when_one_is_down(
    settings: Settings,
    start_app: Callable[[Settings], RunningApp],
    engine: EngineDouble,
    token: Callable[..., str],
) -> None:
    down = f"http://127.0.0.1:{free_port()}/v1"
    both = settings.engine.model_validate({**settings.engine.model_dump(), "urls": [down, engine.url]})
    app = start_app(settings.model_copy(update={"engine": both}))
    with httpx.Client(base_url=app.url, headers={"Authorization": f"Bearer {token()}"}) as client:
        for _ in range(4):
            assert client.post("/api/chat", json={"message": "Hello", "stream": False}).status_code == 200
    assert len(engine.questions) == 4


@pytest.mark.parametrize("streamed", [True, False])
def test_a_client_that_goes_cancels_the_engine(
    client: httpx.Client,
    app: RunningApp,
    engine: EngineDouble,
    database: psycopg.Connection[dict[str, Any]],
    streamed: bool,
) -> None:
    engine.script = Script(pieces=["piece "] * 200, pause_seconds=0.05)
    if streamed:
        with connect_sse(client, "POST", "/api/chat", json={"message": "Hello"}) as source:
            events = source.iter_sse()
            assert [next(events).event for _ in range(3)] == ["session", "token", "token"]
    else:
        with pytest.raises(httpx.ReadTimeout):
            client.post("/api/chat", json={"message": "Hello", "stream": False}, timeout=0.5)
    assert engine.hung_up.wait(5), "the engine went on writing for nobody"
    eventually(lambda: [line.get("aborted") for line in app.audit_lines()] == [True])
    turn = database.execute("SELECT status, answer FROM turns").fetchone()
    assert turn is not None
    assert turn["status"] == "interrupted"
    assert turn["answer"].startswith("piece piece ")
    assert figure("open_streams") == 0


def test_figures_of_an_answer(client: httpx.Client) -> None:
    names = [
        ("tokens_total", {"kind": "prompt_tokens"}, 7),
        ("tokens_total", {"kind": "completion_tokens"}, 4),
        ("inference_seconds_count", {"outcome": "complete"}, 1),
        ("first_token_seconds_count", {}, 1),
        ("requests_total", {"method": "POST", "route": "/api/chat", "status": "200"}, 1),
    ]
    before = [figure(name, **labels) for name, labels, _ in names]
    stream(client, message="Hello")
    eventually(
        lambda: (
            [figure(name, **labels) for name, labels, _ in names]
            == [value + more for value, (_, _, more) in zip(before, names, strict=True)]
        )
    )


def test_the_database_away_is_said_before_the_stream(
    settings: Settings, start_app: Callable[[Settings], RunningApp], token: Callable[..., str]
) -> None:
    away = settings.database.model_copy(update={"port": free_port()})
    app = start_app(settings.model_copy(update={"database": away}))
    with httpx.Client(base_url=app.url, headers={"Authorization": f"Bearer {token()}"}, timeout=20) as client:
        answer = client.post("/api/chat", json={"message": "Hello"})
    assert answer.status_code == 503
    assert answer.json()["error"]["code"] == "database_unavailable"
    assert answer.headers["retry-after"] == "5"
