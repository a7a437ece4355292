"""The relay: messages as robots document them, signatures, what is tried again, no key in what it says."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

import pytest

from rackwright.alert_relay import main as relay
from rackwright.alert_relay.messages import WECOM_BYTES, message

NOW = 1795000000.5
KEY = "a-key-that-must-not-be-said"
TOLD: dict[str, Any] = {
    "version": "4",
    "status": "firing",
    "groupLabels": {"alertname": "HostDiskFull"},
    "alerts": [
        {
            "status": "firing",
            "labels": {"alertname": "HostDiskFull", "severity": "critical", "site": "lab", "host": "data1"},
            "annotations": {
                "summary": "/var of data1 is 97 % full.",
                "summary_zh": "磁盘空间不足",
                "impact": "The database stops.",
                "command": "df -h",
                "runbook_url": "docs/runbooks/disk-full.md",
            },
            "startsAt": "2026-11-26T02:00:00.000Z",
        }
    ],
}


def robot(kind: str, **more: str) -> dict[str, str]:
    return {
        "kind": kind,
        "url": f"https://robot.example/send?key={KEY}",
        "secret": "",
        "language": "en",
    } | more


def test_dingtalk_is_signed_in_the_address() -> None:
    found = message(robot("dingtalk", secret="SECabc"), TOLD, NOW)
    query = parse_qs(urlsplit(found.url).query)
    stamp = "1795000000500"
    wanted = hmac.new(b"SECabc", f"{stamp}\nSECabc".encode(), hashlib.sha256).digest()
    assert query["timestamp"] == [stamp]
    assert query["sign"] == [base64.b64encode(wanted).decode()]
    assert query["key"] == [KEY]
    assert found.body["msgtype"] == "markdown"
    assert found.body["markdown"]["title"] == "[ALERT] lab HostDiskFull data1"
    for words in ("97 % full", "The database stops.", "df -h", "docs/runbooks/disk-full.md"):
        assert words in found.body["markdown"]["text"]


def test_feishu_is_signed_in_the_body_with_the_text_empty() -> None:
    found = message(robot("feishu", secret="s3", language="zh"), TOLD, NOW)
    wanted = hmac.new(b"1795000000\ns3", b"", hashlib.sha256).digest()
    assert found.body["timestamp"] == "1795000000"
    assert found.body["sign"] == base64.b64encode(wanted).decode()
    header = found.body["card"]["header"]
    assert header["title"]["content"] == "[告警] lab 磁盘空间不足 data1"
    assert header["template"] == "red"


def test_what_is_over_is_green_and_says_so() -> None:
    over = json.loads(json.dumps(TOLD))
    over["status"] = over["alerts"][0]["status"] = "resolved"
    found = message(robot("feishu"), over, NOW)
    assert found.body["card"]["header"]["template"] == "green"
    assert "Resolved" in found.body["card"]["header"]["title"]["content"]
    assert "df -h" not in found.body["card"]["elements"][0]["content"]


def test_wecom_takes_no_more_than_it_may() -> None:
    many = {**TOLD, "alerts": [{**TOLD["alerts"][0]} for _ in range(40)]}
    many["alerts"][0]["annotations"] = TOLD["alerts"][0]["annotations"] | {"summary": "磁盘" * 3000}
    content = message(robot("wecom"), many, NOW).body["markdown"]["content"]
    assert len(content.encode()) <= WECOM_BYTES


class Robot(BaseHTTPRequestHandler):
    """Says what it is told to say, and keeps what it hears."""

    said: ClassVar[dict[str, Any]] = {"errcode": 0}
    status = 200
    heard: ClassVar[list[dict[str, Any]]] = []

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        Robot.heard.append(json.loads(body))
        self.send_response(Robot.status)
        self.end_headers()
        self.wfile.write(json.dumps(Robot.said).encode())

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        pass


@pytest.fixture
def served() -> Iterator[str]:
    """A robot and the relay before it; the relay's address."""
    servers = [ThreadingHTTPServer(("127.0.0.1", 0), handler) for handler in (Robot, relay.Handler)]
    for server in servers:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    Robot.heard.clear()
    Robot.status, Robot.said = 200, {"errcode": 0}
    there = robot("wecom", url=f"http://127.0.0.1:{servers[0].server_port}/send?key={KEY}")
    relay.Handler.robots = {"night": there}
    yield f"http://127.0.0.1:{servers[1].server_port}"
    for server in servers:
        server.shutdown()
        server.server_close()


def post(address: str, body: bytes) -> int:
    try:
        request = urllib.request.Request(address, body)  # noqa: S310 - the test's own server
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - as above
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def test_a_message_arrives(served: str) -> None:
    assert post(f"{served}/night", json.dumps(TOLD).encode()) == 200
    assert "97 % full" in Robot.heard[0]["markdown"]["content"]


@pytest.mark.parametrize(("status", "said"), [(200, {"errcode": 93000, "errmsg": "invalid key"}), (500, {})])
def test_what_a_robot_refuses_is_tried_again_and_no_key_is_said(
    served: str, capfd: pytest.CaptureFixture[str], status: int, said: dict[str, Any]
) -> None:
    Robot.status, Robot.said = status, said
    assert post(f"{served}/night", json.dumps(TOLD).encode()) == 502
    out = capfd.readouterr()
    assert KEY not in out.err + out.out
    assert "wecom" in out.err


def test_what_nobody_knows_or_understands_is_refused(served: str) -> None:
    assert post(f"{served}/day", json.dumps(TOLD).encode()) == 404
    assert post(f"{served}/night", b"{") == 400
    assert post(f"{served}/night", b'{"status": "firing", "alerts": []}') == 400
