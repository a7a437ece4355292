"""Who is let in, how often, and with what body."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable
from typing import Any

import httpx
import jwt
import pytest
import redis
from app_server import RunningApp, figure
from conftest import KEY
from engine_double import EngineDouble
from stores import free_port

from rackwright_app.settings import Key, Settings


def claims(**changes: object) -> dict[str, Any]:
    now = int(time.time())
    whole = {
        "sub": "alice",
        "role": "user",
        "iss": "rackwright",
        "aud": "rackwright-app",
        "iat": now,
        "exp": now + 60,
        "jti": "token-1",
        **changes,
    }
    return {name: value for name, value in whole.items() if value is not None}


def signed(
    key: str = KEY, algorithm: str = "HS256", headers: dict[str, Any] | None = None, **changes: object
) -> str:
    return jwt.encode(claims(**changes), key, algorithm=algorithm, headers=headers)


def unsigned(**changes: object) -> str:
    parts = ({"alg": "none", "typ": "JWT"}, claims(**changes))
    return (
        ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts)
        + "."
    )


def tampered() -> str:
    head, _, signature = signed().split(".")
    body = base64.urlsafe_b64encode(json.dumps(claims(sub="bob", role="admin")).encode()).decode().rstrip("=")
    return f"{head}.{body}.{signature}"


REFUSED: dict[str, tuple[Callable[[], str | None], str]] = {
    "no header": (lambda: None, "missing"),
    "another scheme": (lambda: "Basic YWxpY2U6cHc=", "missing"),
    "an empty token": (lambda: "Bearer", "missing"),
    "no token at all": (lambda: "Bearer hello", "malformed"),
    "expired": (lambda: f"Bearer {signed(exp=int(time.time()) - 60)}", "expired"),
    "another key": (lambda: f"Bearer {signed('x' * 32)}", "signature"),
    "changed after signing": (lambda: f"Bearer {tampered()}", "signature"),
    "alg none": (lambda: f"Bearer {unsigned()}", "algorithm"),
    "another algorithm": (lambda: f"Bearer {signed('k' * 64, 'HS512')}", "algorithm"),
    "wrong audience": (lambda: f"Bearer {signed(aud='another-app')}", "audience"),
    "one of several audiences": (lambda: f"Bearer {signed(aud=['rackwright-app', 'other'])}", "audience"),
    "wrong issuer": (lambda: f"Bearer {signed(iss='elsewhere')}", "issuer"),
    "no expiry": (lambda: f"Bearer {signed(exp=None)}", "claim"),
    "no subject": (lambda: f"Bearer {signed(sub=None)}", "claim"),
    "no id": (lambda: f"Bearer {signed(jti=None)}", "claim"),
    "no role": (lambda: f"Bearer {signed(role=None)}", "claim"),
    "an unknown role": (lambda: f"Bearer {signed(role='root')}", "role"),
    "an empty subject": (lambda: f"Bearer {signed(sub=' ')}", "subject"),
    "an endless subject": (lambda: f"Bearer {signed(sub='a' * 200)}", "subject"),
    "issued in the future": (lambda: f"Bearer {signed(iat=int(time.time()) + 600)}", "not_yet_valid"),
    "an unknown key id": (lambda: f"Bearer {signed(headers={'kid': 'gone'})}", "signature"),
    "a key id that is no text": (lambda: f"Bearer {with_key_id(7)}", "malformed"),
}


def with_key_id(value: object) -> str:
    head = base64.urlsafe_b64encode(json.dumps({"alg": "HS256", "kid": value}).encode()).decode().rstrip("=")
    return f"{head}.{signed().split('.', 1)[1]}"


@pytest.mark.parametrize("case", REFUSED)
def test_refused_tokens(app: RunningApp, engine: EngineDouble, case: str) -> None:
    make, reason = REFUSED[case]
    header = make()
    before = figure("refused_tokens_total", reason=reason)
    with httpx.Client(base_url=app.url, headers={"Authorization": header} if header else {}) as client:
        answer = client.post("/api/chat", json={"message": "Hello"})
    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == "unauthorized"
    challenge = answer.headers["www-authenticate"]
    assert challenge.startswith("Bearer ")
    assert ('error="invalid_token"' in challenge) == (reason != "missing")
    assert figure("refused_tokens_total", reason=reason) == before + 1
    assert engine.questions == []


@pytest.mark.parametrize(
    "path", ["/api", "/api/", "/api/sessions", "/api/openapi.json", "/api/no/such/route"]
)
def test_everything_beneath_api_is_closed(app: RunningApp, path: str) -> None:
    assert httpx.get(app.url + path).status_code == 401


def test_a_key_is_rotated_without_a_gap(
    settings: Settings, start_app: Callable[[Settings], RunningApp]
) -> None:
    keys = [Key(id="second", secret="s" * 32), Key(id="first", secret=KEY)]
    app = start_app(settings.model_copy(update={"tokens": settings.tokens.model_copy(update={"keys": keys})}))
    with httpx.Client(base_url=app.url) as client:
        for token in (
            signed(headers={"kid": "first"}),
            signed("s" * 32, headers={"kid": "second"}),
            signed(),
            signed("s" * 32),
        ):
            assert (
                client.get("/api/sessions", headers={"Authorization": f"Bearer {token}"}).status_code == 200
            )
        crossed = signed("s" * 32, headers={"kid": "first"})
        assert client.get("/api/sessions", headers={"Authorization": f"Bearer {crossed}"}).status_code == 401


def test_the_hour_of_a_user_is_limited(
    settings: Settings,
    start_app: Callable[[Settings], RunningApp],
    token: Callable[..., str],
    limits_store: redis.Redis,
) -> None:
    limits = settings.limits.model_copy(update={"requests_per_hour": 3})
    app = start_app(settings.model_copy(update={"limits": limits}))
    before = figure("rate_limited_total")
    with httpx.Client(base_url=app.url, headers={"Authorization": f"Bearer {token()}"}) as client:
        answers = [client.get("/api/sessions") for _ in range(5)]
        others = client.get("/api/sessions", headers={"Authorization": f"Bearer {token('bob')}"})
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429, 429]
    assert [answer.headers["ratelimit-remaining"] for answer in answers] == ["2", "1", "0", "0", "0"]
    assert {answer.headers["ratelimit-limit"] for answer in answers} == {"3"}
    assert answers[3].json()["error"]["code"] == "rate_limited"
    assert 3590 <= int(answers[3].headers["retry-after"]) <= 3600
    assert others.status_code == 200
    assert figure("rate_limited_total") == before + 2
    # A refused request takes no place, and the entry goes with the hour.
    key = next(iter(limits_store.scan_iter("app:requests:*", count=100)))
    assert sorted(limits_store.zcard(name) for name in limits_store.scan_iter("app:requests:*")) == [1, 3]
    assert 3590 <= limits_store.ttl(key) <= 3600


def test_without_redis_nobody_is_let_through(
    settings: Settings,
    start_app: Callable[[Settings], RunningApp],
    token: Callable[..., str],
    engine: EngineDouble,
) -> None:
    away = settings.redis.model_copy(update={"port": free_port()})
    app = start_app(settings.model_copy(update={"redis": away}))
    answer = httpx.post(
        f"{app.url}/api/chat", json={"message": "Hello"}, headers={"Authorization": f"Bearer {token()}"}
    )
    assert answer.status_code == 503
    assert answer.json()["error"]["code"] == "limiter_unavailable"
    assert engine.questions == []


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"message": ""}, "empty_message"),
        ({"message": " \n\t "}, "empty_message"),
        ({"message": "x" * 10_001}, "message_too_long"),
        ({"message": "nul \0"}, "malformed_request"),
        ({}, "malformed_request"),
        ({"message": 7}, "malformed_request"),
        ({"message": "Hello", "sesion": "typo"}, "malformed_request"),
        ({"message": "Hello", "session": "no-uuid"}, "malformed_request"),
        ([1, 2], "malformed_request"),
    ],
)
def test_bad_bodies_are_refused_with_a_reason(
    client: httpx.Client, engine: EngineDouble, body: object, code: str
) -> None:
    answer = client.post("/api/chat", json=body)
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == code
    assert len(answer.json()["error"]["message"]) > 10
    assert engine.questions == []


@pytest.mark.parametrize("content", [b"{", b"\xff\xfe", b'{"message": "\\ud800"}', b"[" * 50_000])
def test_bodies_that_are_no_json_are_refused(client: httpx.Client, content: bytes) -> None:
    answer = client.post("/api/chat", content=content, headers={"Content-Type": "application/json"})
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "malformed_request"


def test_the_longest_message_is_taken(client: httpx.Client) -> None:
    answer = client.post("/api/chat", json={"message": "好" * 10_000, "stream": False})
    assert answer.status_code == 200


@pytest.mark.parametrize("announced", [True, False])
def test_a_body_beyond_the_limit_is_refused(
    client: httpx.Client, engine: EngineDouble, announced: bool
) -> None:
    large = b'{"message": "' + b"x" * 300_000 + b'"}'
    content = large if announced else (large[at : at + 10_000] for at in range(0, len(large), 10_000))
    answer = client.post("/api/chat", content=content, headers={"Content-Type": "application/json"})
    assert answer.status_code == 413
    assert answer.json()["error"]["code"] == "body_too_large"
    assert engine.questions == []


def test_errors_of_the_framework_have_our_form(client: httpx.Client) -> None:
    missing = client.get("/api/nothing")
    wrong = client.get("/api/chat")
    assert (missing.status_code, missing.json()["error"]["code"]) == (404, "not_found")
    assert (wrong.status_code, wrong.json()["error"]["code"]) == (405, "method_not_allowed")
    assert wrong.headers["allow"] == "POST"
