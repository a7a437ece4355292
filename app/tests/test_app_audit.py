"""What is written down about a request, and what is not."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from app_server import RunningApp, eventually, figure

from rackwright_app.audit import AuditLog
from rackwright_app.masking import mask_text, mask_value
from rackwright_app.settings import Settings

TEXTS = [
    ("call 13812345678 now", "call 138****5678 now"),
    ("电话13812345678。", "电话138****5678。"),
    ("+8613812345678", "+86138****5678"),
    ("138-1234-5678", "138-****-5678"),
    ("id 11010519491231002X.", "id 110105********002X."),
    ("110105199003071234", "110105********1234"),
    ("write zhang.san@example.com please", "write zh***@example.com please"),
    ("a@b.cn", "a***@b.cn"),
    ("key sk-abcdefghijklmnopqrstuv end", "key *** end"),
    ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJl", "***"),
    # What only looks alike stays as it is.
    ("order 1381234567890123", "order 1381234567890123"),
    ("12345678901", "12345678901"),
    ("110105199013071234", "110105199013071234"),
    ("user@localhost", "user@localhost"),
    ("nothing to hide", "nothing to hide"),
    ("", ""),
]


@pytest.mark.parametrize(("text", "masked"), TEXTS)
def test_texts_are_masked_by_pattern(text: str, masked: str) -> None:
    assert mask_text(text) == masked


@pytest.mark.parametrize("masked", [masked for _, masked in TEXTS])
def test_masking_a_second_time_changes_nothing(masked: str) -> None:
    assert mask_text(masked) == masked


FIELDS = [
    ({"password": "hunter2"}, {"password": "***"}),
    (
        {"apiKey": "abc", "api_key": "abc", "API-KEY": "abc"},
        {"apiKey": "***", "api_key": "***", "API-KEY": "***"},
    ),
    ({"accessToken": "abc", "client_secret": 7}, {"accessToken": "***", "client_secret": "***"}),
    ({"max_tokens": 100, "tokenizer": "qwen"}, {"max_tokens": 100, "tokenizer": "qwen"}),
    (
        {"phone": "13812345678", "userPhone": "010-1234567"},
        {"phone": "138****5678", "userPhone": "010****4567"},
    ),
    ({"phone": "12345"}, {"phone": "***"}),
    ({"phone": 13812345678}, {"phone": "138****5678"}),
    ({"number": 13812345678}, {"number": "138****5678"}),
    ({"idCard": "110105194912310021"}, {"idCard": "110105********0021"}),
    ({"email": "zhang@example.com"}, {"email": "zh***@example.com"}),
    ({"email": "not an address"}, {"email": "***"}),
    ({"secret": {"a": ["b", None]}}, {"secret": {"a": ["***", None]}}),
    ({"list": [{"token": "x"}, "13812345678"]}, {"list": [{"token": "***"}, "138****5678"]}),
    ({"13812345678": 1}, {"138****5678": 1}),
    ({"yes": True, "none": None, "number": 3.5}, {"yes": True, "none": None, "number": 3.5}),
]


@pytest.mark.parametrize(("value", "masked"), FIELDS)
def test_fields_are_masked_by_name(value: object, masked: object) -> None:
    assert mask_value(value) == masked


def test_a_long_text_is_masked_before_it_is_cut() -> None:
    assert mask_value("x" * 5 + "13812345678", longest=9) == "xxxxx138*… (+7)"


def test_masking_is_linear_in_the_length() -> None:
    for text in ("a" * 200_000, "1" * 200_000, "a@" * 100_000, "a." * 100_000 + "@", "eyJ" * 60_000):
        mask_text(text)


def test_a_line_tells_who_did_what(client: httpx.Client, app: RunningApp) -> None:
    body = {"message": "I am zhang@example.com, 13812345678, 11010519491231002X", "stream": False}
    answer = client.post(
        "/api/chat", json=body, headers={"User-Agent": "tests/1", "X-Request-ID": "request-0001"}
    )
    eventually(lambda: len(app.audit_lines()) == 1)
    line = app.audit_lines()[0]
    assert line.pop("time").endswith("+00:00")
    assert line.pop("latency_ms") > 0
    assert uuid.UUID(line.pop("token"))
    assert (line.pop("seq"), len(line.pop("chain")), len(line.pop("hash"))) == (1, 16, 64)
    assert line == {
        "request": "request-0001",
        "user": "alice",
        "role": "user",
        "address": "127.0.0.1",
        "method": "POST",
        "path": "/api/chat",
        "agent": "tests/1",
        "status": 200,
        "body": {"message": "I am zh***@example.com, 138****5678, 110105********002X", "stream": False},
    }
    assert answer.headers["x-request-id"] == "request-0001"


def test_refused_requests_are_written_down_without_their_body(app: RunningApp) -> None:
    httpx.post(f"{app.url}/api/chat?token=abc&q=13812345678", json={"message": "Hello"})
    eventually(lambda: len(app.audit_lines()) == 1)
    line = app.audit_lines()[0]
    assert (line["status"], line["user"], line["query"]) == (401, None, {"token": "***", "q": "138****5678"})
    assert "body" not in line


def test_health_is_not_written_down(app: RunningApp) -> None:
    httpx.get(f"{app.url}/health")
    httpx.get(f"{app.url}/elsewhere")
    eventually(lambda: [line["path"] for line in app.audit_lines()] == ["/elsewhere"])


def test_nobody_can_forge_a_line(client: httpx.Client, app: RunningApp) -> None:
    forged = 'x"}\n{"time":"2026-01-01","user":"root"}\r\n\u2028'
    agent = [(b"User-Agent", b"a\tb\x85c")]
    client.post("/api/chat", json={"message": forged, "stream": False}, headers=agent)
    client.get("/api/%0a%7B%22user%22:%22root%22%7D")
    eventually(lambda: len(app.audit_lines()) == 2)
    raw = app.settings.audit.path.read_bytes()
    assert raw.count(b"\n") == 2
    assert raw.isascii()
    assert {line["user"] for line in app.audit_lines()} == {"alice"}


def test_a_body_that_is_no_json_is_not_kept(client: httpx.Client, app: RunningApp) -> None:
    client.post("/api/chat", content=b'{"password": "hunter2"')
    eventually(lambda: len(app.audit_lines()) == 1)
    assert app.audit_lines()[0]["body"] == {"unreadable_bytes": 22}


@pytest.mark.parametrize("trusted", [True, False])
def test_a_forwarded_address_counts_only_from_a_trusted_proxy(
    settings: Settings, start_app: Callable[[Settings], RunningApp], token: Callable[..., str], trusted: bool
) -> None:
    networks = Settings.model_validate(
        {**settings.model_dump(), "trusted_proxies": ["127.0.0.0/8"] if trusted else []}
    ).trusted_proxies
    app = start_app(settings.model_copy(update={"trusted_proxies": networks}))
    headers = {"Authorization": f"Bearer {token()}", "X-Forwarded-For": "10.9.9.9, 10.77.50.11"}
    httpx.get(f"{app.url}/api/sessions", headers=headers)
    eventually(lambda: len(app.audit_lines()) == 1)
    assert app.audit_lines()[0]["address"] == ("10.77.50.11" if trusted else "127.0.0.1")


def test_the_file_is_followed_through_rotation(tmp_path: Path) -> None:
    path = tmp_path / "audit.log"
    log = AuditLog(path)
    log.write({"line": 1})
    path.rename(tmp_path / "audit.log.1")
    log.write({"line": 2})
    log.close()
    log.write({"line": 3})
    log.close()
    assert [json.loads(line)["line"] for line in path.read_text().splitlines()] == [2, 3]
    assert json.loads((tmp_path / "audit.log.1").read_text())["line"] == 1
    assert path.stat().st_mode & 0o777 == 0o640 & ~_umask()


def test_a_line_that_cannot_be_written_is_counted_and_shown(tmp_path: Path) -> None:
    before = figure("audit_failures_total")
    log = AuditLog(tmp_path / "missing" / "audit.log")
    log.write({"line": 1})
    assert not log.healthy
    assert figure("audit_failures_total") == before + 1
    (tmp_path / "missing").mkdir()
    log.write({"line": 2})
    assert log.healthy
    log.close()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
