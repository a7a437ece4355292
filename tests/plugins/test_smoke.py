"""The smoke tests fail when a promise is broken: a stand-in for the edge breaks one at a time."""

from __future__ import annotations

import json
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar, TypeAlias

import pytest

RunModule: TypeAlias = Callable[..., dict[str, Any]]

HOST = "api.smoke.test"
QUESTION = "Call 13812345678 and ask what a rack is."
STREAM = [("session", {"session": "s-1"}), ("token", {"text": "a"}), ("token", {"text": "b"}), ("done", {})]


class Edge(BaseHTTPRequestHandler):
    """What a sound edge does, but for the promises in `broken`."""

    protocol_version = "HTTP/1.1"
    # As any edge that streams; otherwise the kernel gathers the parts.
    disable_nagle_algorithm = True
    broken: ClassVar[set[str]] = set()
    asked: ClassVar[list[int]] = []

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        self.asked.append(1)
        limited = len(self.asked) > 20 and "rate_limit" not in self.broken
        self._answer(429 if limited else 401)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        if self.client_address[0] == "127.0.0.2" and "denied" not in self.broken:
            self._answer(403)
        elif "Authorization" not in self.headers and "unauthorised" not in self.broken:
            self._answer(401)
        else:
            self._stream()

    def _answer(self, status: int) -> None:
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _stream(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        parts = [f"event: {name}\ndata: {json.dumps(data)}\n\n".encode() for name, data in STREAM]
        if "unfinished" in self.broken:
            parts.pop()
        if "buffered" in self.broken:
            parts = [b"".join(parts)]
        for part in parts:
            self.wfile.write(part)
            self.wfile.flush()
            time.sleep(0.01)
        self.close_connection = True


class Redirect(BaseHTTPRequestHandler):
    """Sends to HTTPS, or not."""

    target: ClassVar[str] = f"https://{HOST}/"

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        self.send_response(308)
        self.send_header("Location", self.target)
        self.send_header("Content-Length", "0")
        self.end_headers()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key and a certificate that is its own authority."""
    place = tmp_path_factory.mktemp("tls")
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    command += ["-keyout", str(place / "key.pem"), "-out", str(place / "cert.pem"), "-days", "2"]
    command += ["-subj", "/CN=smoke", "-addext", f"subjectAltName=DNS:{HOST}"]
    subprocess.run(command, check=True, capture_output=True)
    return place


@contextmanager
def served(server: ThreadingHTTPServer) -> Iterator[int]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def ask(certificate: Path, run_module: RunModule) -> RunModule:
    """Runs the module against an edge with some promises broken."""

    def asked(*broken: str, host: str = HOST) -> dict[str, Any]:
        Edge.broken, Edge.asked = set(broken), []
        Redirect.target = "http://elsewhere/" if "redirect" in broken else f"https://{HOST}/"
        edge = ThreadingHTTPServer(("127.0.0.1", 0), Edge)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate / "cert.pem", certificate / "key.pem")
        edge.socket = context.wrap_socket(edge.socket, server_side=True)
        with served(edge) as https, served(ThreadingHTTPServer(("127.0.0.1", 0), Redirect)) as http:
            return run_module(
                "smoke_client",
                {
                    "address": "127.0.0.1",
                    "http_port": http,
                    "https_port": https,
                    "host": host,
                    "ca": (certificate / "cert.pem").read_text(),
                    "token": "a-token",
                    "question": QUESTION,
                    "denied_source": "127.0.0.2",
                    "burst": 80,
                    "answer_timeout": 5,
                },
            )

    return asked


def failed(result: dict[str, Any]) -> set[str]:
    return {step["name"] for step in result["steps"] if not step["ok"]}


def test_a_sound_edge_passes(ask: RunModule) -> None:
    result = ask()
    assert not result["failed"], result
    assert (result["session"], result["deltas"]) == ("s-1", 2)
    assert "a-token" not in json.dumps(result)


@pytest.mark.parametrize(
    ("broken", "step"),
    [
        ("redirect", "redirect"),
        ("unauthorised", "unauthorised"),
        ("buffered", "answer"),
        ("unfinished", "answer"),
        ("denied", "denied"),
        ("rate_limit", "rate_limit"),
    ],
)
def test_one_broken_promise_fails_its_step(ask: RunModule, broken: str, step: str) -> None:
    result = ask(broken)
    assert result["failed"]
    assert failed(result) == {step}


def test_a_certificate_for_another_name_fails_everything_over_tls(ask: RunModule) -> None:
    result = ask(host="other.smoke.test")
    assert {"certificate", "answer"} <= failed(result)
