"""What an attacker tries at the edge: forged addresses, slow and broken requests, paths around the rules."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from testinfra.host import Host

Ask = Callable[..., dict[str, Any]]
Connect = Callable[[str], Host]
# Through a trusted proxy, what the client itself had written stands left of what the proxy added.
FORGED = "10.0.0.1, 203.0.113.9"
# Both ways to say how long a body is.
BOTH = "Content-Length: 6\r\nTransfer-Encoding: chunked"


@pytest.fixture
def rested() -> None:
    """Let the rate limit forget what the tests before have sent."""
    time.sleep(1.2)


def seen(answer: Mapping[str, Any]) -> list[str]:
    """Return the client's address as the app was told it."""
    headers: Mapping[str, list[str]] = json.loads(answer["body"])["headers"]
    return headers["x-forwarded-for"]


# --- whose address


def test_a_proxy_that_is_trusted_says_who_the_client_is(
    ask: Ask, inventory: Mapping[str, Any], engine: str
) -> None:
    answer = ask("/api/echo", of="app2", headers={"X-Forwarded-For": "10.1.2.3"})

    assert answer["status"] == 200
    # Traefik passes on the list, with who has told it at its end.
    told = f", {inventory['app2'].variables['ansible_host']}" if engine == "traefik" else ""
    assert seen(answer) == [f"10.1.2.3{told}"]


def test_what_the_client_wrote_before_a_trusted_proxy_did_is_not_believed(ask: Ask) -> None:
    assert ask("/api/echo", of="app2", headers={"X-Forwarded-For": FORGED})["status"] == 403


def test_two_headers_do_not_hide_the_address(ask: Ask, api: str) -> None:
    request = (
        f"GET /api/echo HTTP/1.1\r\nHost: {api}\r\nX-Forwarded-For: 10.0.0.1\r\n"
        "X-Forwarded-For: 203.0.113.9\r\nConnection: close\r\n\r\n"
    )
    answer = ask("/", of="app2", parts=[request])

    assert answer["answer"].startswith("HTTP/1.1 403")


@pytest.mark.usefixtures("rested")
def test_an_address_for_each_request_does_not_pass_the_limit(ask: Ask, api: str) -> None:
    requests = [
        (
            f"GET /v1/echo HTTP/1.1\r\nHost: {api}\r\nX-Forwarded-For: 10.9.0.{number}\r\n"
            f"X-Real-IP: 10.9.0.{number}\r\n{'Connection: close' if number == 79 else 'X: y'}\r\n\r\n"
        )
        for number in range(80)
    ]
    answer = ask("/", parts=["".join(requests)], patience=8)["answer"]

    assert answer.count("HTTP/1.1 429") > 40


# --- where


@pytest.mark.parametrize(
    "path",
    [
        "/api/../../etc/passwd",
        "/..%2f..%2fetc/passwd",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/assets/..%2f..%2f..%2f..%2fetc/passwd",
        "/assets/../../../../etc/rackwright/tls/nginx/key.pem",
        "/.env",
        "/.git/config",
        "//etc/passwd",
    ],
)
def test_no_path_leads_out_of_the_front_end(ask: Ask, variables: Mapping[str, Any], path: str) -> None:
    site = f"ai.{variables['domain']}"
    answer = ask(path, host=site)

    # What names no file of the front end is a place within its one page.
    if answer["status"] == 200:
        assert answer["body"] == ask("/", host=site)["body"]
    else:
        assert answer["status"] in {400, 403, 404}
    assert "root:" not in answer["body"]
    assert "PRIVATE" not in answer["body"]


@pytest.mark.parametrize(
    "path", ["/api/admin/users", "/api/%61dmin/users", "/api/x/../admin/users", "/api//admin/users"]
)
def test_a_closed_path_has_no_other_spelling(ask: Ask, path: str) -> None:
    # The site closes /api/admin/ to everybody here; its own rule, in place of the route's.
    assert ask(path)["status"] == 403


def test_a_site_that_asks_for_certificates_is_not_opened_by_another_ones_handshake(
    ask: Ask, variables: Mapping[str, Any], api: str
) -> None:
    assert ask("/", sni=api, host=f"monitoring.{variables['domain']}")["status"] == 421


def test_a_client_without_a_certificate_is_refused_and_one_with_it_is_not(
    ask: Ask, variables: Mapping[str, Any], engine: str
) -> None:
    host = f"monitoring.{variables['domain']}"
    certificate = Path(variables["lab_directory"], "client.pem").read_text()

    # With Traefik it gets no further than the handshake.
    assert ask("/", host=host).get("status") == (None if engine == "traefik" else 403)
    assert ask("/", host=host, client_certificate=certificate)["status"] == 200


# --- how


def test_a_megabyte_more_than_allowed_is_refused_also_without_a_length(
    ask: Ask, api: str, engine: str
) -> None:
    megabyte = 1 << 20
    head = f"POST /api/rag/upload HTTP/1.1\r\nHost: {api}\r\nTransfer-Encoding: chunked\r\n\r\n"
    # 51 parts of one megabyte, sent by the client itself.
    chunk = [f"{megabyte:x}\r\n@FILL@\r\n"] * 51
    answer = ask("/", parts=[head, *chunk], fill=megabyte, patience=10)

    # HAProxy cannot count what goes by, and asks for the length.
    refused = {"haproxy": "411"}.get(engine, "413")
    assert answer["answer"].startswith(f"HTTP/1.1 {refused}")


@pytest.mark.parametrize(
    "headers",
    [
        BOTH,
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
        "Content-Length: 6\r\nContent-Length: 60",
        "Transfer-Encoding: xchunked",
        "Transfer-Encoding : chunked\r\nContent-Length: 6",
        "Content-Length: +6",
    ],
)
def test_a_request_that_can_be_read_in_two_ways_is_refused(
    ask: Ask, api: str, headers: str, engine: str
) -> None:
    smuggled = "0\r\n\r\nGET /api/admin/ HTTP/1.1\r\nHost: evil\r\n\r\n"
    answer = ask("/", parts=[f"POST /api/echo HTTP/1.1\r\nHost: {api}\r\n{headers}\r\n\r\n{smuggled}"])

    if engine == "traefik" and headers == BOTH:
        # Read by RFC 9112's one way. What follows is a request of its own, for no name of ours.
        first, second = answer["answer"].split("HTTP/1.1 ")[1:]
        assert json.loads(first.partition("\r\n\r\n")[2])["received"] == 0
        assert second.startswith("421 ")
        return
    assert answer["answer"].count("HTTP/1.1") == 1
    if engine == "haproxy" and headers == BOTH:
        # It reads it by RFC 9112's one way, passes it on with that one alone, and ends the connection.
        assert answer["end"] == "closed"
        passed = json.loads(answer["answer"].partition("\r\n\r\n")[2])
        assert (passed["path"], passed["received"]) == ("/api/echo", 0)
        assert not {"content-length", "transfer-encoding"} <= passed["headers"].keys()
    else:
        assert answer["answer"].split(" ")[1:2] in [["400"], ["501"]]


def test_an_upgrade_to_http2_in_the_clear_is_not_passed_on(ask: Ask) -> None:
    answer = ask(
        "/api/echo", headers={"Upgrade": "h2c", "HTTP2-Settings": "AAMAAABk", "Connection": "Upgrade"}
    )

    assert answer["status"] == 200
    assert "upgrade" not in json.loads(answer["body"])["headers"]


@pytest.mark.usefixtures("rested")
def test_many_who_never_finish_their_header_are_cut_off_and_hold_nobody_up(ask: Ask) -> None:
    answer = ask("/", many=300, seconds=25)

    assert answer["during"]["status"] == 200
    assert answer["closed"] == 300


def test_a_body_that_stalls_is_cut_off(ask: Ask, api: str) -> None:
    head = f"POST /api/rag/upload HTTP/1.1\r\nHost: {api}\r\nContent-Length: 1000\r\n\r\nx"
    answer = ask("/", parts=[head], patience=15)

    assert answer["end"] == "closed" or "reset" in answer["end"].lower()
    assert answer["seconds"] < 10


def test_line_breaks_in_a_request_do_not_become_lines_of_the_log(ask: Ask, edge: Host, engine: str) -> None:
    ask("/api/echo%0d%0a%7b%22forged%22:1%7d", headers={"User-Agent": 'x" , "status": 999'})

    for line in edge.check_output(f"tail -n 5 /var/log/{engine}/access.log").splitlines():
        assert json.loads(line)["status"] != 999
        assert "forged" not in json.loads(line)


def test_a_websocket_is_passed_on_where_it_may_be(ask: Ask, variables: Mapping[str, Any]) -> None:
    def upgrade(host: str, path: str) -> str:
        name = f"{host}.{variables['domain']}"
        request = (
            f"GET {path} HTTP/1.1\r\nHost: {name}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )
        return str(ask("/", host=name, parts=[request, "ping"], pause=0.3, patience=2)["answer"])

    opened = upgrade("dify", "/socket")
    assert opened.startswith("HTTP/1.1 101")
    assert "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" in opened
    assert opened.endswith("ping")
    assert upgrade("api", "/api/echo").startswith("HTTP/1.1 200")


def test_a_browser_of_another_origin_is_told_nothing(ask: Ask) -> None:
    asked = {"Origin": "https://portal.example.internal", "Access-Control-Request-Method": "POST"}
    good = ask("/api/echo", method="OPTIONS", headers=asked)
    bad = ask("/api/echo", headers={"Origin": "https://evil.example"})

    assert good["status"] in {200, 204}
    assert good["headers"]["access-control-allow-origin"] == "https://portal.example.internal"
    assert "access-control-allow-origin" not in bad["headers"]


@pytest.mark.usefixtures("rested")
def test_model_endpoints_have_the_narrow_limit(ask: Ask) -> None:
    answers = [answer["status"] for answer in ask("/v1/chat", repeat=40)["answers"]]

    assert 11 <= answers.count(200) < 30
    assert answers.count(429) == 40 - answers.count(200)
