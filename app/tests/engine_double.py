"""A contract double of the model server: enough of OpenAI's chat protocol to ask it, fail it and cut it off.

It stands in for an engine in tests only; the platform's own tests ask a real one.
"""

from __future__ import annotations

import json
import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self


@dataclass
class Script:
    """What the double does with the next questions."""

    pieces: list[str] = field(default_factory=lambda: ["Good ", "day ", "to ", "all."])
    status: int = 200
    pause_seconds: float = 0
    """Between two pieces."""
    first_pause_seconds: float = 0
    break_after: int | None = None
    """Close the connection after so many pieces."""
    error_after: int | None = None
    """Report an error within the stream after so many pieces."""
    with_usage: bool = True


Embed = Callable[[list[str]], list[list[float]]]


def hashed(texts: list[str]) -> list[list[float]]:
    """Vectors that know nothing but which words a text holds."""
    found: list[list[float]] = []
    for text in texts:
        vector = [0.01] * 64
        for word in text.lower().split():
            vector[zlib.crc32(word.strip(".,?!:;").encode()) % 64] += 1
        found.append(vector)
    return found


class EngineDouble:
    """The double, on a free port of the loopback interface."""

    def __init__(self) -> None:
        self.script = Script()
        self.embed: Embed = hashed
        self.embedding_status = 200
        self.rerank: Callable[[str, list[str]], list[float]] | None = None
        """None: the double serves no cross-encoder."""
        self.questions: list[dict[str, Any]] = []
        self.keys: list[str | None] = []
        self.probes = 0
        self.hung_up = threading.Event()
        """Set when a caller closed its connection within an answer."""
        self.stopped = threading.Event()
        self._server = _Server(self)

    @property
    def url(self) -> str:
        """Base address, with the version."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    @classmethod
    @contextmanager
    def started(cls) -> Iterator[Self]:
        """Runs the double for a while."""
        double = cls()
        thread = threading.Thread(target=double._server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield double
        finally:
            double.stop()
            thread.join(5)

    def stop(self) -> None:
        """Stops it: its port refuses from now on."""
        self.stopped.set()
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, double: EngineDouble) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.double = double


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Says nothing."""

    def do_GET(self) -> None:
        self.server.double.probes += 1
        self._whole(200, {"object": "list", "data": [{"id": "double", "object": "model"}]})

    def do_POST(self) -> None:
        double = self.server.double
        if not self.path.endswith("/chat/completions"):
            self._other(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            return
        double.questions.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        double.keys.append(self.headers.get("Authorization"))
        script = double.script
        if script.status != 200:
            self._whole(script.status, {"error": {"type": "failed", "message": "as the test told it"}})
            return
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        try:
            self._stream(script)
        except (BrokenPipeError, ConnectionResetError):
            double.hung_up.set()

    def _other(self, asked: dict[str, Any]) -> None:
        double = self.server.double
        if self.path.endswith("/embeddings") and double.embedding_status == 200:
            vectors = enumerate(double.embed(asked["input"]))
            data = [{"object": "embedding", "index": at, "embedding": vector} for at, vector in vectors]
            self._whole(200, {"object": "list", "model": asked["model"], "data": data})
        elif self.path.endswith("/rerank") and double.rerank is not None:
            ranks = enumerate(double.rerank(asked["query"], asked["documents"]))
            results = [{"index": at, "relevance_score": rank} for at, rank in ranks]
            self._whole(200, {"results": sorted(results, key=lambda each: -each["relevance_score"])})
        else:
            status = double.embedding_status if self.path.endswith("/embeddings") else 404
            self._whole(status, {"error": {"type": "failed", "message": "as the test told it"}})

    def _stream(self, script: Script) -> None:
        stopped = self.server.double.stopped
        stopped.wait(script.first_pause_seconds)
        for number, piece in enumerate(script.pieces):
            if script.break_after == number:
                return
            if script.error_after == number:
                self._event({"error": {"type": "server_error", "message": "out of memory"}})
                return
            self._event({"choices": [{"index": 0, "delta": {"content": piece}, "finish_reason": None}]})
            stopped.wait(script.pause_seconds)
        self._event({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
        if script.with_usage:
            usage = {"prompt_tokens": 7, "completion_tokens": len(script.pieces)}
            self._event({"choices": [], "usage": usage})
        self.wfile.write(b"data: [DONE]\n\n")

    def _event(self, data: dict[str, Any]) -> None:
        self.wfile.write(f"data: {json.dumps(data)}\n\n".encode())
        self.wfile.flush()

    def _whole(self, status: int, data: dict[str, Any]) -> None:
        body = json.dumps(data).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
