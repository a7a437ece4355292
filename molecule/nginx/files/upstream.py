"""A stand-in for the app: HTTPS with its certificate; says what came in, streams slowly, counts uploads."""

import base64
import contextlib
import hashlib
import json
import socket
import ssl
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

EVENTS = 4
PAUSE = 0.5


class Handler(BaseHTTPRequestHandler):
    """Answers any path; `/api/chat` streams, `/api/text` is long enough to be compressed."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Answer without a body, or become a WebSocket."""
        if (
            self.headers.get("Upgrade") == "websocket"
            and self.headers.get("Connection", "").lower() == "upgrade"
        ):
            self.echo()
        else:
            self.answer(0)

    def do_POST(self) -> None:
        """Read the body, then answer."""
        left = total = int(self.headers.get("Content-Length", 0))
        while left:
            left -= len(self.rfile.read(min(left, 1 << 20)))
        self.answer(total)

    def answer(self, received: int) -> None:
        """Stream, or send one JSON document."""
        if self.path == "/api/chat":
            self.stream()
            return
        body = {
            "instance": socket.gethostname(),
            "path": self.path,
            "received": received,
            "headers": {name.lower(): self.headers.get_all(name) for name in self.headers},
        }
        if self.path == "/api/text":
            body["text"] = "word " * 2000
        data = json.dumps(body).encode()
        self.send_response(404 if self.path == "/api/absent" else 200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.send_header("X-Request-ID", "from-the-app")
        self.end_headers()
        self.wfile.write(data)

    def echo(self) -> None:
        """Agree to a WebSocket (RFC 6455), and send back what comes, byte by byte."""
        key = self.headers["Sec-WebSocket-Key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        accept = base64.b64encode(hashlib.sha1(key.encode()).digest()).decode()  # noqa: S324 - the RFC's
        self.send_response(101)
        for name, value in (
            ("Upgrade", "websocket"),
            ("Connection", "Upgrade"),
            ("Sec-WebSocket-Accept", accept),
        ):
            self.send_header(name, value)
        self.end_headers()
        while data := self.connection.recv(4096):
            self.wfile.write(data)
        self.close_connection = True

    def stream(self) -> None:
        """Send events with pauses, as a model makes words."""
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for number in range(EVENTS):
            event = f"data: {number} {'x' * 2000}\n\n".encode()
            self.wfile.write(b"%x\r\n%s\r\n" % (len(event), event))
            self.wfile.flush()
            time.sleep(PAUSE)
        self.wfile.write(b"0\r\n\r\n")

    def log_message(self, *_: object) -> None:
        """Keep quiet."""


class Server(ThreadingHTTPServer):
    """Does the TLS handshake in the request's own thread, so that one client cannot hold up the others."""

    request_queue_size = 256

    def process_request_thread(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - the base's types
        """Wrap the connection and serve it."""
        with contextlib.suppress(OSError):
            super().process_request_thread(CONTEXT.wrap_socket(request, server_side=True), client_address)


CONTEXT = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
CONTEXT.load_cert_chain("/etc/rackwright/tls/app/cert.pem", "/etc/rackwright/tls/app/key.pem")
Server((sys.argv[1], int(sys.argv[2])), Handler).serve_forever()
