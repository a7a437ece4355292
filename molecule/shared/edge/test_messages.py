"""Requests that are written to be read in two ways: names, addresses and bodies that only one reader sees."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

import pytest

Ask = Callable[..., dict[str, Any]]
LIE = "198.51.100.7"
# Longer than any edge reads of a header.
LONG = 100_000


def told(answer: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return the headers that the app was told, of an answer as it came over the wire."""
    headers: dict[str, list[str]] = json.loads(answer["answer"].partition("\r\n\r\n")[2])["headers"]
    return headers


def statuses(answer: Mapping[str, Any]) -> list[int]:
    """Return the status of each answer on a connection."""
    return [int(status) for status in re.findall(r"HTTP/1\.[01] (\d{3})", answer["answer"])]


# --- the client's address


@pytest.mark.parametrize(
    "headers",
    [
        # What a proxy sets itself, said to be of this connection alone, so that it is dropped behind it.
        "Connection: close, X-Real-IP, X-Forwarded-For, X-Forwarded-Proto",
        f"X_Real_IP: {LIE}\r\nX_Forwarded_For: {LIE}\r\nConnection: close",
        f"X-Real-IP: {LIE}\r\nx-real-ip: {LIE}\r\nConnection: close",
        f"X-Forwarded-Port: {LIE}\r\nX-Forwarded-Prefix: /{LIE}\r\nConnection: close",
        f"X-Forwarded-Server: {LIE}\r\nConnection: close",
    ],
)
def test_no_header_takes_the_place_of_what_the_edge_says(
    ask: Ask, inventory: Mapping[str, Any], api: str, headers: str
) -> None:
    answer = ask("/", parts=[f"GET /api/echo HTTP/1.1\r\nHost: {api}\r\n{headers}\r\n\r\n"])
    client = inventory["outside1"].variables["ansible_host"]

    assert statuses(answer) == [200]
    assert told(answer)["x-real-ip"] == [client]
    assert told(answer)["x-forwarded-for"] == [client]
    assert told(answer)["x-forwarded-proto"] == ["https"]
    assert LIE not in answer["answer"]


def test_what_stands_behind_a_body_is_no_header(ask: Ask, inventory: Mapping[str, Any], api: str) -> None:
    head = f"POST /api/echo HTTP/1.1\r\nHost: {api}\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n"
    trailer = f"X-Real-IP: {LIE}\r\nX-Forwarded-For: {LIE}\r\nContent-Length: 40\r\n"
    answer = ask("/", parts=[f"{head}Trailer: X-Real-IP\r\n\r\n5\r\nhello\r\n0\r\n{trailer}\r\n"])
    client = inventory["outside1"].variables["ansible_host"]

    assert statuses(answer) in ([200], [400])
    if statuses(answer) == [200]:
        assert told(answer)["x-real-ip"] == [client]


# --- the name


@pytest.mark.parametrize("spelled", ["{}:443", "{}.", "MONITORING.{domain}"])
def test_a_site_that_asks_for_certificates_has_no_other_name(
    ask: Ask, variables: Mapping[str, Any], api: str, spelled: str
) -> None:
    name = f"monitoring.{variables['domain']}"
    host = spelled.format(name, domain=variables["domain"])

    assert ask("/", sni=name, host=host).get("status") in {None, 400, 403, 421}
    assert ask("/", sni=api, host=host).get("status") in {None, 400, 403, 421}


@pytest.mark.parametrize(
    "request_head",
    [
        "GET https://monitoring.{domain}/ HTTP/1.1\r\nHost: api.{domain}",
        "GET / HTTP/1.1\r\nHost: api.{domain}\r\nHost: monitoring.{domain}",
        "GET / HTTP/1.1\r\nHost: monitoring.{domain}\r\nHost: api.{domain}",
        "GET / HTTP/1.1\r\nHost: api.{domain}\r\nX-Forwarded-Host: monitoring.{domain}",
        "GET / HTTP/1.1\r\nHost: api.{domain}@monitoring.{domain}",
        "GET / HTTP/1.1",
    ],
)
def test_a_second_name_opens_no_other_site(ask: Ask, variables: Mapping[str, Any], request_head: str) -> None:
    head = request_head.format(domain=variables["domain"])
    answer = ask("/", parts=[f"{head}\r\nConnection: close\r\n\r\n"])

    assert not {200, 101} & set(statuses(answer))
    assert '"instance"' not in answer["answer"]


# --- what is no request


@pytest.mark.parametrize(
    "broken",
    [
        "GET /api/ec\x00ho HTTP/1.1\r\nHost: {api}\r\n\r\n",
        "GET /api/echo HTTP/1.1\r\nHost: {api}\r\nX-Any: a\x00b\r\n\r\n",
        f"GET /api/echo HTTP/1.1\r\nHost: {{api}}\r\nX-Any: a\rX-Real-IP: {LIE}\r\n\r\n",
        "GET /api/echo HTTP/1.1\r\nHost: {api}\r\nX Any: a\r\n\r\n",
        "GET /api/echo HTTP/1.1\r\nHost: {api}\r\n: a\r\n\r\n",
        "TRACE /api/echo HTTP/1.1\r\nHost: {api}\r\nCookie: secret\r\nConnection: close\r\n\r\n",
        "CONNECT 127.0.0.1:22 HTTP/1.1\r\nHost: {api}\r\nConnection: close\r\n\r\n",
        "CONNECT {api}:443 HTTP/1.1\r\nHost: {api}\r\nConnection: close\r\n\r\n",
        "GET /api/echo HTTP/9.9\r\nHost: {api}\r\n\r\n",
    ],
)
def test_what_is_no_request_reaches_nobody(ask: Ask, api: str, broken: str) -> None:
    answer = ask("/", parts=[broken.replace("{api}", api)])

    assert len(statuses(answer)) <= 1
    # A mistake of the client's, by the status, and none of the platform's.
    assert all(400 <= status < 500 or status in {501, 505} for status in statuses(answer))
    assert '"instance"' not in answer["answer"]
    assert "secret" not in answer["answer"]


@pytest.mark.parametrize("size", ["-1", "0x5", "fffffffffffffffff", "10000000000000005", ""])
def test_a_chunk_of_a_size_that_is_none_is_refused(ask: Ask, api: str, size: str) -> None:
    head = f"POST /api/echo HTTP/1.1\r\nHost: {api}\r\nTransfer-Encoding: chunked\r\n\r\n"
    hidden = f"GET /api/echo HTTP/1.1\r\nHost: {api}\r\n\r\n"
    answer = ask("/", parts=[f"{head}{size}\r\nhello\r\n0\r\n\r\n{hidden}"], patience=3)

    assert statuses(answer) in ([400], [])


@pytest.mark.parametrize(
    "header", ["X-Any: @FILL@", "Cookie: @FILL@", "X-@FILL@: a"], ids=["value", "cookie", "name"]
)
def test_a_header_without_end_is_refused_and_holds_nobody_up(ask: Ask, api: str, header: str) -> None:
    request = f"GET /api/echo HTTP/1.1\r\nHost: {api}\r\n{header}\r\n\r\n"
    answer = ask("/", parts=[request], fill=LONG)

    assert statuses(answer) in ([400], [414], [431], [])
    assert ask("/health")["status"] == 200


def test_a_path_without_end_is_refused(ask: Ask, api: str) -> None:
    answer = ask("/", parts=[f"GET /api/@FILL@ HTTP/1.1\r\nHost: {api}\r\n\r\n"], fill=LONG)

    assert statuses(answer) in ([400], [414], [431], [])


# --- browsers


@pytest.mark.parametrize(
    "origin",
    [
        "null",
        "https://portal.example.internal.evil.example",
        "https://evil.portal.example.internal",
        "http://portal.example.internal",
        "https://portal.example.internal:444",
    ],
)
def test_an_origin_that_resembles_one_of_ours_is_none(ask: Ask, origin: str) -> None:
    asked = {"Origin": origin, "Access-Control-Request-Method": "POST"}

    for method in ("GET", "OPTIONS"):
        assert "access-control-allow-origin" not in ask("/api/echo", method=method, headers=asked)["headers"]
