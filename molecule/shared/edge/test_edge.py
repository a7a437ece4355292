"""The edge as its clients and its attackers see it."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from testinfra.host import Host

Ask = Callable[..., dict[str, Any]]


def said(answer: Mapping[str, Any]) -> dict[str, Any]:
    """Return the body of an answer, read as JSON."""
    body: dict[str, Any] = json.loads(answer["body"])
    return body


@pytest.fixture
def rested() -> None:
    """Let the rate limit forget what the tests before have sent."""
    time.sleep(1.2)


# --- names and TLS


@pytest.mark.parametrize("site", ["api", "ai", "dify", "monitoring"])
def test_http_is_sent_to_https_with_path_and_query(ask: Ask, variables: Mapping[str, Any], site: str) -> None:
    host = f"{site}.{variables['domain']}"
    answer = ask("/a/b?c=d", host=host, port=80, tls=False, method="POST", size=10)

    assert answer["status"] == 308
    assert answer["headers"]["location"] == f"https://{host}/a/b?c=d"


@pytest.mark.parametrize("site", ["api", "ai", "dify"])
def test_the_certificate_is_of_the_authority_and_names_the_site(
    ask: Ask, variables: Mapping[str, Any], site: str
) -> None:
    # The client verifies chain and name; an answer says that both hold.
    assert ask("/health", host=f"{site}.{variables['domain']}")["status"] == 200


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"host": "evil.example"}, "unrecognized name|UNRECOGNIZED_NAME|handshake"),
        ({"host": "10.0.0.1"}, "."),
        ({"host": "evil.example", "tls": False, "port": 80}, "RemoteDisconnected|reset by peer"),
        ({"host": "api.other.internal", "anyone": True}, "unrecognized name|UNRECOGNIZED_NAME|handshake"),
    ],
)
def test_an_unknown_name_gets_no_answer(
    ask: Ask, options: dict[str, Any], complaint: str, engine: str
) -> None:
    answer = ask("/health", **options)

    if engine == "traefik" and not options.get("tls", True):
        # It cannot hang up on a request that it has read.
        assert answer["status"] == 421
        return
    assert "status" not in answer
    assert re.search(complaint, answer["error"])


def test_a_known_name_in_tls_does_not_open_an_unknown_one(ask: Ask, api: str) -> None:
    answer = ask("/health", sni=api, host="evil.example")

    assert answer.get("status") in {None, 421}


@pytest.mark.parametrize(("version", "spoken"), [("TLSv1_2", "TLSv1.2"), ("TLSv1_3", "TLSv1.3")])
def test_modern_tls_is_spoken(ask: Ask, version: str, spoken: str) -> None:
    assert ask("/health", version=version)["tls"] == spoken


@pytest.mark.parametrize("version", ["TLSv1", "TLSv1_1"])
def test_old_tls_is_refused(ask: Ask, version: str) -> None:
    answer = ask("/health", version=version)

    assert "alert protocol version" in answer["error"].lower().replace("_", " ")


def test_a_cipher_without_forward_secrecy_is_refused(ask: Ask) -> None:
    weak = ask("/health", version="TLSv1_2", ciphers="AES128-GCM-SHA256:AES256-SHA:@SECLEVEL=0")

    assert "handshake failure" in weak["error"].lower().replace("_", " ")


def test_security_headers_are_on_answers_and_on_errors(ask: Ask, engine: str) -> None:
    for path, status in (("/api/echo", 200), ("/nothing", 404)):
        answer = ask(path)
        headers = answer["headers"]
        assert answer["status"] == status
        assert headers["strict-transport-security"].startswith("max-age=31536000")
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert headers.get("server", "nginx") == "nginx"
        # Traefik makes none: the service's passes.
        made = "from-the-app" if engine == "traefik" and status == 200 else "[0-9a-f]{32}"
        assert re.fullmatch(made, headers["x-request-id"])


# --- what goes where


def test_errors_of_the_edge_are_json_with_the_status_they_have(ask: Ask) -> None:
    answer = ask("/nothing")

    assert answer["status"] == 404
    assert answer["headers"]["content-type"] == "application/json"
    assert said(answer)["error"]["status"] == 404
    assert said(answer)["error"]["request_id"] == answer["headers"]["x-request-id"]


def test_errors_of_the_app_pass_as_they_are(ask: Ask) -> None:
    answer = ask("/api/absent")

    assert answer["status"] == 404
    assert said(answer)["path"] == "/api/absent"


def test_the_app_learns_the_true_client_whatever_the_client_says(
    ask: Ask, inventory: Mapping[str, Any], engine: str
) -> None:
    lies = {
        "X-Forwarded-For": "198.51.100.7",
        "X-Real-IP": "198.51.100.7",
        "Forwarded": "for=198.51.100.7",
        "X-Request-ID": "chosen-by-the-client",
        "X-Forwarded-Host": "evil.example",
    }
    answer = ask("/api/echo", headers=lies)
    headers = said(answer)["headers"]

    client = inventory["outside1"].variables["ansible_host"]
    assert headers["x-forwarded-for"] == [client]
    assert headers["x-real-ip"] == [client]
    assert headers["x-forwarded-proto"] == ["https"]
    given = None if engine == "traefik" else [answer["headers"]["x-request-id"]]
    assert headers.get("x-request-id") == given
    assert "198.51.100.7" not in answer["body"]
    assert "evil.example" not in answer["body"]


def test_health_of_the_api_is_the_apps(ask: Ask) -> None:
    assert said(ask("/health"))["path"] == "/health"


# --- allowlist


def test_an_address_outside_the_allowlist_is_denied_the_api_and_nothing_else(
    ask: Ask, variables: Mapping[str, Any]
) -> None:
    source = variables["lab"]["denied_client"]

    for path in ("/api/echo", "/api/chat", "//api/echo", "/x/../api/echo", "/%61pi/echo"):
        assert ask(path, source=source)["status"] == 403, path
    assert ask("/health", source=source)["status"] == 200


def test_a_forged_address_does_not_open_the_api(ask: Ask, variables: Mapping[str, Any]) -> None:
    source = variables["lab"]["denied_client"]

    assert ask("/api/echo", source=source, headers={"X-Forwarded-For": "10.0.0.1"})["status"] == 403


# --- streams, sizes, compression


@pytest.mark.usefixtures("rested")
def test_events_arrive_one_by_one_and_uncompressed(ask: Ask) -> None:
    answer = ask("/api/chat", headers={"Accept-Encoding": "gzip", "Accept": "text/event-stream"})

    assert answer["headers"]["content-type"] == "text/event-stream"
    assert "content-encoding" not in answer["headers"]
    assert answer["body"].count("data: ") == 4
    first, last = answer["times"][0], answer["times"][-1]
    assert first < 0.5
    assert last - first > 1.2


def test_text_is_compressed(ask: Ask) -> None:
    plain = ask("/api/text")
    packed = ask("/api/text", headers={"Accept-Encoding": "gzip"})

    assert "content-encoding" not in plain["headers"]
    assert packed["headers"]["content-encoding"] == "gzip"
    assert len(packed["body"]) < len(plain["body"]) / 5


def test_uploads_pass_up_to_the_limit_and_no_further(ask: Ask) -> None:
    megabyte = 1 << 20

    assert said(ask("/api/rag/upload", method="POST", size=50 * megabyte))["received"] == 50 * megabyte
    refused = ask("/api/rag/upload", method="POST", size=50 * megabyte + 1)
    assert refused["status"] == 413
    assert said(refused)["error"]["message"] == "the request is larger than 50 MB"


# --- limits


@pytest.mark.usefixtures("rested")
def test_a_burst_of_questions_beyond_the_limit_gets_429(ask: Ask, engine: str) -> None:
    answers = ask("/api/chat", repeat=60)["answers"]

    limited = [answer for answer in answers if answer["status"] == 429]
    passed = [answer for answer in answers if answer["status"] == 200]
    assert len(passed) + len(limited) == 60
    # 1 and the burst of 20, and what the rate of 100/s lets through while the 60 arrive.
    assert 21 <= len(passed) < 60
    assert limited[0]["headers"]["retry-after"] == "1"
    if engine == "traefik":
        # In its own words: put in their place, ours would stand for the app's 429 as well.
        assert limited[0]["body"] == "Too Many Requests"
    else:
        assert said(limited[0])["error"]["message"] == "too many requests, slow down"


@pytest.mark.usefixtures("rested")
def test_other_requests_have_a_wider_limit(ask: Ask) -> None:
    assert {answer["status"] for answer in ask("/api/echo", repeat=60)["answers"]} == {200}


# --- log


def test_the_log_is_json_without_queries_and_without_health(ask: Ask, edge: Host, engine: str) -> None:
    agent = f'quo"ted\\{time.time()}'
    ask("/health?seen=1")
    answer = ask("/api/echo?token=hidden", headers={"User-Agent": agent})

    for _ in range(10):
        lines = edge.check_output(f"tail -n 20 /var/log/{engine}/access.log").splitlines()
        entries = [json.loads(line) for line in lines]
        if mine := [entry for entry in entries if entry["agent"] == agent]:
            break
        time.sleep(0.3)
    (entry,) = mine
    assert (entry["path"], entry["status"], entry["method"]) == ("/api/echo", 200, "GET")
    assert entry["request_id"] == answer["headers"]["x-request-id"]
    assert "hidden" not in "".join(lines)
    assert "/health" not in {entry["path"] for entry in entries}


# --- the service


def test_the_edge_listens_on_its_zone_address_only(edge: Host, variables: Mapping[str, Any]) -> None:
    listening = edge.check_output("ss -Hltn | awk '{print $4}'").split()
    web = sorted(address for address in listening if re.search(r":(80|443)$", address))

    assert web == sorted([f"{variables['ansible_host']}:80", f"{variables['ansible_host']}:443"])


def test_an_app_instance_may_fail_without_anybody_noticing(ask: Ask, connect: Callable[[str], Host]) -> None:
    def instances() -> set[str]:
        return {said(answer)["instance"] for answer in ask("/api/echo", repeat=12)["answers"]}

    assert instances() == {"app1", "app2"}
    broken = connect("app2")
    broken.check_output("systemctl stop upstream.service")
    try:
        assert instances() == {"app1"}
    finally:
        broken.check_output("systemctl start upstream.service")


def test_an_upstream_with_a_certificate_of_another_authority_is_not_trusted(
    ask: Ask, connect: Callable[[str], Host]
) -> None:
    hosts = [connect(name) for name in ("app1", "app2")]
    tls = "/etc/rackwright/tls/app"
    try:
        for host in hosts:
            host.check_output(f"cp -a {tls} {tls}.good")
            host.check_output(
                "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 "
                f"-subj /CN=app -keyout {tls}/key.pem -out {tls}/cert.pem"
            )
            host.check_output("systemctl restart upstream.service")
        # HAProxy calls a service that it may not speak with one that is not there; Traefik does so once it
        # has asked after it, and is short until then.
        for _ in range(10):
            time.sleep(1)
            answer = ask("/api/echo")
            assert answer["status"] in {502, 503}
            if answer["headers"]["content-type"] == "application/json":
                break
        assert said(answer)["error"]["message"].startswith("the service ")
    finally:
        for host in hosts:
            host.check_output(f"rm -r {tls} && mv {tls}.good {tls} && systemctl restart upstream.service")
    # It is asked again within seconds, not with the next reload.
    for _ in range(40):
        if (answer := ask("/api/echo"))["status"] == 200:
            break
        time.sleep(0.3)
    assert answer["status"] == 200


def test_a_reload_does_not_break_a_stream(ask: Ask, edge: Host, engine: str) -> None:
    before = edge.check_output(f"systemctl show -p MainPID --value {engine}.service")
    edge.check_output(f"sh -c '(sleep 1; systemctl reload {engine}.service) >/dev/null 2>&1 &'")

    answer = ask("/api/chat")

    assert answer["body"].count("data: ") == 4
    assert edge.check_output(f"systemctl show -p MainPID --value {engine}.service") == before


def test_the_edge_comes_back_when_it_is_killed(ask: Ask, edge: Host, engine: str) -> None:
    edge.check_output(f"systemctl kill --signal=KILL {engine}.service")
    for _ in range(60):
        time.sleep(0.5)
        if (answer := ask("/health")).get("status") == 200:
            break
    assert answer.get("status") == 200, answer


def test_the_key_is_closed_to_the_workers_and_to_others(edge: Host, engine: str) -> None:
    directory = f"/etc/rackwright/tls/{engine}"
    key = edge.file(f"{directory}/key.pem")

    assert (key.user, key.group, key.mode) == ("root", "root", 0o640)
    account = "--reuid=www-data --regid=www-data --clear-groups"
    assert edge.run(f"setpriv {account} cat {directory}/key.pem").rc != 0
    assert edge.file(directory).mode == 0o750
