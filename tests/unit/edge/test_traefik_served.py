"""What a request meets at a site that is served by the contract double of Traefik."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from traefik_behind import Ask, said
from traefik_site import DOMAIN


def test_http_is_sent_to_https(ask: Ask, ports: Mapping[str, int]) -> None:
    answer = ask("/a?b=c", port=ports["http"], tls=False, method="POST", body=b"x")
    assert answer.status == 308
    assert answer.headers["Location"] == f"https://api.{DOMAIN}:{ports['https']}/a?b=c"


def test_what_a_client_says_of_itself_is_not_believed(ask: Ask) -> None:
    lies = {
        "X-Forwarded-For": "10.0.0.1",
        "X-Real-IP": "10.0.0.1",
        "Forwarded": "for=10.0.0.1",
        "X-Request-ID": "mine",
    }
    lies |= {
        "X_Forwarded_For": "10.0.0.1",
        "X-Forwarded-Prefix": "/admin",
        "X-Original-URL": "/admin",
        "Upgrade": "h2c",
        "Connection": "Upgrade",
        "HTTP2-Settings": "AAA",
    }
    answer = ask("/api/echo", headers=lies)
    headers = said(answer)["headers"]
    assert headers["x-forwarded-for"] == headers["x-real-ip"] == "127.0.0.1"
    assert headers["x-forwarded-proto"] == "https"
    assert not {name.lower() for name in lies} & set(headers) - {"x-forwarded-for", "x-real-ip"}
    assert answer.headers["X-Request-ID"] == "of-the-service"
    assert answer.headers["Server"] is None
    assert answer.headers["X-Frame-Options"] == "DENY"


def test_other_addresses_are_refused_in_our_words_under_every_spelling(ask: Ask) -> None:
    for path in ("/api/echo", "//api/echo", "/x/../api/echo", "/%61pi/echo"):
        answer = ask(path, source="127.0.0.7")
        assert answer.status == 403, path
        assert said(answer)["path"] == "/said/403"
        assert answer.headers["Strict-Transport-Security"].startswith("max-age=")
    assert ask("/health", source="127.0.0.7").status == 200
    assert ask("/api/..%2fadmin/").status == 400


def test_a_proxy_of_ours_says_who_the_client_is_by_the_last_foreign_address(ask: Ask) -> None:
    def status(forwarded: str) -> int:
        return ask("/api/echo", source="127.0.0.9", headers={"X-Forwarded-For": forwarded}).status

    assert status("127.0.0.2") == 200
    assert status("127.0.0.2, 127.0.0.9") == 200
    assert status("127.0.0.2, 203.0.113.9") == 403
    assert status("") == 403


def test_a_stream_arrives_as_it_is_made_and_text_is_compressed(ask: Ask) -> None:
    answer, began = ask("/api/chat", headers={"Accept-Encoding": "gzip"}), time.monotonic()
    assert answer.headers["Content-Encoding"] is None
    assert answer.read1(100).startswith(b"data: x")
    assert time.monotonic() - began < 0.15
    answer.read()
    assert ask("/api/text", headers={"Accept-Encoding": "gzip"}).headers["Content-Encoding"] == "gzip"


def test_a_body_is_measured_with_and_without_a_length(ask: Ask) -> None:
    def sent(size: int, *, chunked: bool) -> http.client.HTTPResponse:
        body: Any = iter([b"x" * 65_536] * (size // 65_536)) if chunked else b"x" * size
        return ask(
            "/api/upload",
            method="POST",
            body=body,
            encode_chunked=chunked,
            headers={"Transfer-Encoding": "chunked"} if chunked else {},
        )

    megabyte = 1 << 20
    assert said(sent(megabyte, chunked=False))["received"] == megabyte
    assert said(sent(megabyte, chunked=True))["received"] == megabyte
    large = sent(megabyte + 1, chunked=False)
    assert (large.status, said(large)["path"]) == (413, "/said/413")
    assert sent(megabyte + 65_536, chunked=True).status == 413


def test_a_burst_is_let_through_and_no_more(
    running: subprocess.Popen[bytes], ports: Mapping[str, int], pem: Path
) -> None:
    assert running.poll() is None
    request = f"GET /v1/models HTTP/1.1\r\nHost: api.{DOMAIN}\r\n\r\n".encode()
    context, answers, began = ssl.create_default_context(cafile=str(pem)), b"", time.monotonic()
    with (
        socket.create_connection(("127.0.0.1", ports["https"]), 20) as raw,
        context.wrap_socket(raw, server_hostname=f"api.{DOMAIN}") as stream,
    ):
        stream.sendall(request * 80)
        while answers.count(b"HTTP/1.1 ") < 80:
            answers += stream.recv(65_536)
    # 1 and the burst of 10, and what 10 a second let through meanwhile.
    passed = answers.count(b"HTTP/1.1 200")
    assert 11 <= passed <= 12 + 10 * (time.monotonic() - began)
    assert answers.count(b"HTTP/1.1 429") == 80 - passed
    assert b"Retry-After: 1\r\n" in answers


def test_a_websocket_passes_where_it_may(ask: Ask) -> None:
    upgrade = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Key": "x"}
    assert ask("/socket", host="dify", headers=upgrade).status == 101
    assert ask("/api/echo", headers=upgrade).status == 200


def test_the_log_names_who_was_answered_and_no_query(ask: Ask, work: Path) -> None:
    ask("/api/echo?token=hidden", headers={"User-Agent": 'quo"ted'}).read()
    for _ in range(50):
        entries = [json.loads(line) for line in (work / "access.log").read_text().splitlines()]
        if found := [entry for entry in entries if entry.get("request_User-Agent") == 'quo"ted']:
            break
        time.sleep(0.1)
    assert (found[0]["RequestPath"], found[0]["TLSVersion"]) == ("/api/echo", "1.3")
    assert not [
        entry for entry in entries if "hidden" in entry["RequestPath"] or entry["RequestPath"] == "/health"
    ]
