"""What only HAProxy does: its metrics, its checks, bodies without a length."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

from testinfra.host import Host

Ask = Callable[..., dict[str, Any]]
Connect = Callable[[str], Host]


def test_metrics_are_for_a_certificate_of_who_watches_alone(ask: Ask, edge: Host) -> None:
    def metrics(service: str = "", path: str = "/metrics") -> dict[str, Any]:
        tls = f"/etc/rackwright/tls/{service}"
        pem = edge.check_output(f"cat {tls}/key.pem {tls}/cert.pem") if service else ""
        return ask(path, port=8404, client_certificate=pem)

    ask("/api/echo")
    told = metrics("prometheus")
    assert told["status"] == 200
    assert 'haproxy_backend_status{proxy="app_api",state="UP"} 1' in told["body"]
    assert metrics("prometheus", "/")["status"] == 403
    assert metrics("haproxy").get("status") in {None, 403}
    assert "status" not in metrics()


def test_a_body_without_a_length_passes_when_it_is_small_and_no_further(ask: Ask, api: str) -> None:
    head = (
        f"POST /api/echo HTTP/1.1\r\nHost: {api}\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    )
    small = ask("/", parts=[head, "5\r\nhello\r\n", "0\r\n\r\n"], pause=0.2)["answer"]
    large = ask("/", parts=[head, "8000\r\n@FILL@\r\n", "0\r\n\r\n"], fill=0x8000)["answer"]

    assert small.startswith("HTTP/1.1 200")
    assert large.startswith("HTTP/1.1 411")


def test_what_serves_the_files_has_nothing_to_warn_of(edge: Host) -> None:
    assert "[warn]" not in edge.check_output("journalctl -u rackwright-edge-files --no-pager")


def test_what_is_away_is_in_a_log_of_its_own(edge: Host, connect: Connect) -> None:
    broken = connect("app2")
    broken.check_output("systemctl stop upstream.service")
    try:
        for _ in range(30):
            if "DOWN" in edge.run("cat /var/log/haproxy/error.log").stdout:
                break
            time.sleep(1)
        assert "app_api" in edge.check_output("cat /var/log/haproxy/error.log")
    finally:
        broken.check_output("systemctl start upstream.service")
    for line in edge.check_output("cat /var/log/haproxy/access.log").splitlines():
        assert json.loads(line)["status"] != ""


def test_the_log_goes_on_in_a_new_file(ask: Ask, edge: Host) -> None:
    edge.check_output(
        "mv /var/log/haproxy/access.log /var/log/haproxy/access.log.1"
        " && systemctl kill --kill-whom=main --signal=HUP rackwright-edge-log.service"
    )
    time.sleep(1)
    asked = ask("/api/echo")["headers"]["x-request-id"]

    assert asked in edge.check_output("cat /var/log/haproxy/access.log")
