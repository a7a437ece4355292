"""What is behind the double of Traefik in tests: instances of the app, which tell what they were asked."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from typing import Any

Ask = Callable[..., http.client.HTTPResponse]


class Behind(BaseHTTPRequestHandler):
    """An instance of the app, or what says the proxy's own answers: tells what it was asked."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self.headers.get("Upgrade", "").lower() == "websocket":
            self.send_response(101)
            self.send_header("Upgrade", "websocket")
            self.send_header("Connection", "Upgrade")
            self.end_headers()
            self.wfile.write(self.connection.recv(100))
            self.close_connection = True
            return
        if self.path == "/api/chat":
            self.stream()
            return
        length = int(self.headers.get("Content-Length") or 0)
        self.rfile.read(length)
        status = int(self.path.rpartition("/")[2]) if self.path.startswith("/said/") else 200
        status = 503 if self.headers["Host"].startswith("127.0.0.1:") and self.path != "/health" else status
        told = {
            "path": self.path,
            "received": length,
            "headers": {name.lower(): value for name, value in self.headers.items()},
            "port": self.server.server_port,  # type: ignore[attr-defined]
        }
        data = json.dumps(told | ({"fill": "word " * 1000} if self.path == "/api/text" else {})).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.send_header("X-Request-ID", "of-the-service")
        self.send_header("Server", "secret")
        # So that a closed socket is a server that is gone.
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(data)

    do_POST = do_OPTIONS = do_GET  # noqa: N815 - the base's names

    def stream(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for _ in range(3):
            self.wfile.write(b"8\r\ndata: x\n\r\n")
            time.sleep(0.2)
        self.wfile.write(b"0\r\n\r\n")

    def log_message(self, *_: object) -> None:
        """Keep quiet."""


def said(answer: http.client.HTTPResponse) -> dict[str, Any]:
    """Return what an instance told."""
    found: dict[str, Any] = json.loads(answer.read())
    return found
