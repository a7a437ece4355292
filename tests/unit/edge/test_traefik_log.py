"""What Traefik logs, in the form that every edge of ours has."""

from __future__ import annotations

import importlib.util
import ipaddress
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

PROGRAM = Path(__file__).resolve().parents[3] / "roles/traefik/files/traefik_log.py"
PROXIES = [ipaddress.ip_network("10.0.20.12/32"), ipaddress.ip_network("fd00::/64")]
# The fields of nginx' log, in its order (roles/nginx, log.conf).
FIELDS = [
    "time",
    "request_id",
    "client",
    "host",
    "method",
    "path",
    "protocol",
    "status",
    "bytes_received",
    "bytes_sent",
    "seconds",
    "upstream",
    "upstream_status",
    "upstream_seconds",
    "limited",
    "tls",
    "agent",
]
ENTRY: dict[str, Any] = {
    "StartUTC": "2026-11-27T06:33:04.123456789Z",
    "ClientHost": "10.9.8.7",
    "RequestHost": "API.lab.internal",
    "RequestMethod": "POST",
    "RequestPath": "/api/chat?x",
    "RequestProtocol": "HTTP/2.0",
    "RequestContentSize": 12,
    "DownstreamStatus": 200,
    "DownstreamContentSize": 345,
    "Duration": 1_234_567_890,
    "OriginStatus": 200,
    "OriginDuration": 1_200_000_000,
    "ServiceAddr": "10.0.20.11:3001",
    "TLSVersion": "1.3",
    "request_User-Agent": 'quo"ted',
    "downstream_X-Request-Id": "abc",
}


@pytest.fixture(scope="module")
def log() -> ModuleType:
    spec = importlib.util.spec_from_file_location("traefik_log", PROGRAM)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_field_is_there_by_the_others_names(log: ModuleType) -> None:
    told = log.told(ENTRY, PROXIES)
    assert list(told) == FIELDS
    assert (told["time"], told["client"], told["host"]) == (
        "2026-11-27T06:33:04+00:00",
        "10.9.8.7",
        "api.lab.internal",
    )
    assert (told["path"], told["seconds"], told["upstream_seconds"]) == ("/api/chat", 1.235, "1.2")
    assert (told["upstream"], told["upstream_status"], told["limited"]) == ("10.0.20.11:3001", "200", "")
    assert (told["tls"], told["agent"], told["request_id"]) == ("TLSv1.3", 'quo"ted', "abc")


def test_its_own_limit_is_told_from_a_services(log: ModuleType) -> None:
    own = {**ENTRY, "DownstreamStatus": 429, "OriginStatus": 0}
    assert log.told(own, PROXIES)["limited"] == "REJECTED"
    assert log.told({**own, "OriginStatus": 429}, PROXIES)["limited"] == ""


@pytest.mark.parametrize(
    ("forwarded", "client"),
    [
        ("10.1.2.3", "10.1.2.3"),
        ("10.0.0.1, 203.0.113.9", "203.0.113.9"),
        ("10.0.0.1, 203.0.113.9, 10.0.20.12", "203.0.113.9"),
        ("fd00:1::7, fd00::2", "fd00:1::7"),
        ("10.0.20.12", "10.0.20.12"),
        ("<script>", "<script>"),
        ("", ""),
    ],
)
def test_the_client_is_the_last_that_is_no_proxy_of_ours(
    log: ModuleType, forwarded: str, client: str
) -> None:
    assert log.client(forwarded, PROXIES) == client


def test_it_goes_on_in_a_new_file_and_with_what_came_meanwhile(tmp_path: Path) -> None:
    pipe, file = tmp_path / "pipe", tmp_path / "access.log"
    command = [sys.executable, "-I", "-S", str(PROGRAM), str(pipe), str(file), "10.0.20.12/32"]

    def until(path: Path, lines: int) -> list[dict[str, Any]]:
        for _ in range(100):
            if path.exists() and len(found := path.read_text().splitlines()) >= lines:
                return [json.loads(line) for line in found]
            time.sleep(0.05)
        raise AssertionError(path)

    writer = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        for _ in range(100):
            if file.exists():
                break
            time.sleep(0.05)
        held = os.open(pipe, os.O_RDWR)
        os.write(held, b"no json\n" + json.dumps(ENTRY).encode() + b"\n" + json.dumps(ENTRY).encode()[:40])
        until(file, 1)
        os.write(held, json.dumps(ENTRY).encode()[40:] + b"\n")
        assert len(until(file, 2)) == 2
        file.rename(tmp_path / "access.log.1")
        writer.send_signal(signal.SIGUSR1)
        for _ in range(100):
            if file.exists():
                break
            time.sleep(0.05)
        os.write(held, json.dumps(ENTRY).encode() + b"\n")
        assert until(file, 1)[0]["status"] == 200
        assert file.stat().st_mode & 0o777 == 0o640
    finally:
        writer.terminate()
        writer.wait(10)
        os.close(held)
