"""The double of Logstash with the role's own pipelines; the store is away, refuses lines, or takes them."""

from __future__ import annotations

import base64
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml
from test_logstash_pipelines import DOUBLES, HOME, KNOWN, NAMES, VARIABLES, rendered

HERE = "127.0.0.1"


class Store(BaseHTTPRequestHandler):
    """Elasticsearch's `_bulk`: creates by id; refuses `fields` that are not as it likes."""

    lines: dict[str, dict[str, Any]]
    # Of a client that was killed nothing more comes.
    timeout = 2

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers["Content-Length"])).splitlines()
        items = []
        for action, content in zip(map(json.loads, raw[::2]), map(json.loads, raw[1::2]), strict=True):
            (operation, about) = next(iter(action.items()))
            refused = "bad" in content.get("fields", {}) or content["message"] == "never"
            status = 400 if refused else 409 if about["_id"] in self.lines else 201
            if status == 201:
                self.lines[about["_id"]] = {**content, "_index": about["_index"]}
            items.append({operation: {"status": status, "error": {"type": "x"}}})
        body = json.dumps({"errors": True, "items": items}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Keep still."""


def free() -> int:
    with socket.socket() as found:
        found.bind((HERE, 0))
        return int(found.getsockname()[1])


class Server:
    """The double as a process, and the store behind it."""

    def __init__(self, home: Path) -> None:
        self.home, self.port, self.api, self.store_port = home, free(), free(), free()
        (home / "config/tls").mkdir(parents=True)
        (home / "pipeline").mkdir()
        self.key, self.certificate = home / "config/tls/key.pem", home / "config/tls/cert.pem"
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
             "-keyout", str(self.key), "-out", str(self.certificate), "-days", "1", "-subj", "/CN=test",
             "-addext", f"subjectAltName=IP:{HERE}"],
            check=True, capture_output=True,
        )  # fmt: skip
        (home / "config/tls-ca.pem").write_bytes(self.certificate.read_bytes())
        self._write()
        self.store: ThreadingHTTPServer | None = None
        self.process = self.started()

    def _write(self) -> None:
        numbers = {"passing_mb": "8mb", "refused_mb": "8mb", "queue_mb": "16mb"}
        common = dict(VARIABLES["__logstash_configuration"])
        common |= {"node.name": "x", "path.data": str(self.home / "data"), "api.http.host": HERE}
        common |= {"api.http.port": self.api, "queue.page_capacity": "1mb"}
        common |= {"queue.max_bytes": numbers["passing_mb"], "dead_letter_queue.max_bytes": "8mb"}
        listed = []
        for name in NAMES:
            text = rendered(name).replace(HOME, str(self.home)).replace("5044", str(self.port))
            text = text.replace("https://10.0.40.11:9200", f"https://{HERE}:{self.store_port}")
            path = self.home / f"pipeline/{name}.conf"
            path.write_text(text)
            own = {
                key: value
                for key, value in VARIABLES["__logstash_own"].get(name, {}).items()
                if value is True
            }
            listed.append({"pipeline.id": name, "path.config": str(path), **own})
        (self.home / "config/logstash.yml").write_text(yaml.safe_dump(common))
        (self.home / "config/pipelines.yml").write_text(yaml.safe_dump(listed))
        (self.home / "documented.json").write_text(json.dumps(KNOWN))

    def _store(self) -> ThreadingHTTPServer:
        server = ThreadingHTTPServer((HERE, self.store_port), Store)
        server.daemon_threads = False
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, self.key)
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        return server

    def started(self) -> subprocess.Popen[bytes]:
        environment = {
            "PATH": os.environ["PATH"],
            "DOUBLE_HOME": str(self.home),
            "DOUBLE_DOCUMENTED": str(self.home / "documented.json"),
            "PYTHONPATH": f"{DOUBLES / 'engines'}:{DOUBLES / 'logs'}",
            "LS_JAVA_OPTS": "-Xms512m -Xmx512m",
            "DOUBLE_BLOCKED_SECONDS": "0.5",
        }
        process = subprocess.Popen([sys.executable, str(DOUBLES / "logs/logstash.py")], env=environment)
        wait(lambda: self.send([], password="x" * 40) == 401)
        return process

    def open_store(self) -> None:
        self.store = self._store()
        self.serving = threading.Thread(target=self.store.serve_forever)
        self.serving.start()

    def close(self) -> None:
        self.process.terminate()
        self.process.wait(20)
        if self.store is not None:
            self.store.shutdown()
            self.serving.join()
            self.store.server_close()

    def send(self, batch: list[dict[str, Any]], user: str = "shipper", password: str = "s" * 40) -> int:
        request = urllib.request.Request(f"https://{HERE}:{self.port}/", json.dumps(batch).encode())
        request.add_header("Content-Type", "application/json")
        token = base64.b64encode(f"{user}:{password}".encode()).decode()
        request.add_header("Authorization", f"Basic {token}")
        context = ssl.create_default_context(cafile=str(self.certificate))
        try:
            with urllib.request.urlopen(request, context=context, timeout=20) as answer:  # noqa: S310 - loopback
                return int(answer.status)
        except urllib.error.HTTPError as error:
            error.close()
            return error.code
        except OSError:
            return 0

    def told(self, name: str) -> dict[str, Any]:
        with urllib.request.urlopen(f"http://{HERE}:{self.api}/_node/stats", timeout=10) as answer:
            found: dict[str, Any] = json.load(answer)["pipelines"][name]
            return found


def wait(done: Callable[[], bool], seconds: float = 30) -> None:
    ended = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < ended
        time.sleep(0.1)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    Store.lines = {}
    made = Server(tmp_path)
    yield made
    made.close()


def line(number: int, message: str = "", **more: Any) -> dict[str, Any]:  # noqa: ANN401 - fields of any kind
    log = {"source": "file", "stream": "/var/log/x", "position": number}
    return {
        "@timestamp": "2026-11-26T23:05:23.123456Z", "host": {"name": "data1"}, "service": {"name": "redis"},
        "log": log, "message": message or f"line {number}", "event": {"id": f"id-{number}"}, **more,
    }  # fmt: skip


def test_what_it_has_taken_outlives_a_kill_and_comes_once_and_in_order(server: Server) -> None:
    assert server.send([line(number) for number in range(50)]) == 200
    wait(lambda: server.told("store")["queue"]["events_count"] == 50)
    server.process.send_signal(signal.SIGKILL)
    server.process.wait(10)
    server.process = server.started()
    # Sent again, as after an answer that was lost.
    assert server.send([line(number) for number in range(40, 90)]) == 200
    server.open_store()
    wait(lambda: len(Store.lines) == 90)
    assert [found["log"]["position"] for found in Store.lines.values()] == list(range(90))
    stored = Store.lines["id-0"]
    assert (stored["_index"], stored["log"]["level"]) == ("ai-platform-2026.11.26", "info")
    assert set(stored) == {"@timestamp", "host", "service", "log", "message", "event", "_index"}
    assert stored["host"] == {"name": "data1"}


def test_what_is_refused_comes_without_its_fields_or_is_counted(server: Server) -> None:
    server.open_store()
    batch = [line(1, fields={"bad": 1}), line(2, fields={"good": 1}), line(3, "never")]
    assert server.send(batch) == 200
    outputs = lambda name: server.told(name)["plugins"]["outputs"][0]["documents"]  # noqa: E731 - short
    wait(lambda: outputs("refused").get("dlq_routed") == 1 and len(Store.lines) == 2)
    assert outputs("store")["dlq_routed"] == 2
    assert "fields" not in Store.lines["id-1"]
    assert Store.lines["id-2"]["fields"] == {"good": 1}


def test_strangers_are_not_let_in(server: Server) -> None:
    assert server.send([line(1)], user="reader") == 401
    assert server.told("intake")["events"]["in"] == 0


def test_while_its_queues_are_full_it_says_so_and_takes_nothing(server: Server) -> None:
    batch = [line(number, "x" * 30_000) for number in range(100)]
    answers = []
    while len(answers) < 30 and (not answers or answers[-1] == 200):
        answers.append(server.send(batch))
    assert answers[-1] == 429
    assert 200 in answers
