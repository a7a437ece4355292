"""What the doubles share: HTTP, streams, and the list of what the program documents.

A double is no engine. It answers as the engine's API does, and it is as strict as the engine about what it
is given: an argument or a variable that the engine does not document ends it, and so does a model that is
not there.
Standard library only; runs on Python 3.11 and later.
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import ssl
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NoReturn

Json = dict[str, Any]
# What any process has, whoever starts it.
COMMON = frozenset(
    {"PATH", "HOME", "HOSTNAME", "LANG", "LC_ALL", "TERM", "PWD", "SHLVL", "_", "TZ", "LC_CTYPE"}
)


class RefusedError(Exception):
    """A request that the engine would refuse: status and the engine's own form of the error."""

    def __init__(self, status: int, body: Json) -> None:
        super().__init__(str(body))
        self.status = status
        self.body = body


def fail(message: str) -> NoReturn:
    """End as a program does that was called wrongly."""
    sys.stderr.write(f"double: {message}\n")
    sys.stderr.flush()
    raise SystemExit(2)


def say(message: str) -> None:
    """Write a line to the log of the container."""
    sys.stdout.write(f"double: {message}\n")
    sys.stdout.flush()


def documented(engine: str) -> Json:
    """Return what the engine documents: `<engine>.documented.json` beside this file, or in the image."""
    path = Path(os.environ.get("DOUBLE_DOCUMENTED", Path(__file__).with_name(f"{engine}.documented.json")))
    found: Json = json.loads(path.read_text(encoding="utf-8"))
    return found


def check_environment(known: Iterable[str], prefixes: tuple[str, ...], environ: Mapping[str, str]) -> None:
    """End when a variable with one of the engine's prefixes is none of its own."""
    names = frozenset(known) | COMMON
    unknown = sorted(name for name in environ if name.startswith(prefixes) and name not in names)
    if unknown:
        fail(f"unknown environment: {', '.join(unknown)}")


def parse_arguments(known: Mapping[str, Any], given: list[str]) -> dict[str, str]:
    """Return arguments by name; end at one that is not documented, or has no value, or a wrong one.

    Args:
        known: Argument -> {kind: flag|text|texts|int|float, choices: [...]}; of `texts` those after the first
            follow it, and are returned with spaces between them.
        given: As the program got them.
    """
    found: dict[str, str] = {}
    words = list(given)
    while words:
        name, has_value, value = words.pop(0).partition("=")
        about = known.get(name)
        if about is None:
            fail(f"error: unrecognized arguments: {name}")
        kind = about.get("kind", "text")
        if kind == "flag":
            found[name] = "true"
            continue
        if not has_value:
            if not words or words[0].startswith("--"):
                fail(f"error: argument {name}: expected one argument")
            value = words.pop(0)
        while kind == "texts" and words and not words[0].startswith("--"):
            value = f"{value} {words.pop(0)}"
        try:
            {"int": int, "float": float}.get(kind, str)(value)
        except ValueError:
            fail(f"error: argument {name}: invalid {kind} value: {value!r}")
        if about.get("choices") and value not in about["choices"]:
            fail(f"error: argument {name}: invalid choice: {value!r}")
        found[name] = value
    return found


def voice_of(file: Path) -> str:
    """Return the word that a model begins every answer with, as a test wants it; empty for none.

    It stands in config.json under `double`: `says`, or at the end of a GGUF file behind `DOUBLE:`.
    """
    if file.is_dir():
        config = file / "config.json"
        return (
            str(json.loads(config.read_text()).get("double", {}).get("says", "")) if config.is_file() else ""
        )
    with file.open("rb") as content:
        content.seek(max(0, file.stat().st_size - 64))
        _, marked, said = content.read().rpartition(b"DOUBLE:")
    return said.decode() if marked else ""


def words_for(prompt: str, limit: int, voice: str = "") -> list[str]:
    """Return a made-up answer, the same for the same question: at most `limit` words (tokens)."""
    stock = ("the", "double", "answers", "with", "words", "that", "mean", "nothing", "at", "all")
    start = hashlib.sha256(prompt.encode()).digest()[0]
    count = max(1, min(limit, 16))
    return [*voice.split(), *(stock[(start + number) % len(stock)] for number in range(count))][:count]


def embedding_of(text: str, size: int = 8) -> list[float]:
    """Return a made-up embedding of length 1, the same for the same text."""
    raw = [byte / 255 + 0.01 for byte in hashlib.sha256(text.encode()).digest()[:size]]
    length = sum(value * value for value in raw) ** 0.5
    return [value / length for value in raw]


def prompt_of(body: Json) -> str:
    """Return the last thing that was said."""
    messages = body.get("messages") or [{"content": body.get("prompt", "")}]
    return str(messages[-1].get("content", ""))


def openai_chat(body: Json, object_name: str = "chat.completion", voice: str = "") -> Json:
    """Return a whole answer in the form of the OpenAI API."""
    limit = int(body.get("max_tokens") or body.get("max_completion_tokens") or 16)
    words = words_for(prompt_of(body), limit, voice)
    text = " ".join(words)
    chat = object_name.startswith("chat")
    choice: Json = {"index": 0, "finish_reason": "length"}
    choice |= {"message": {"role": "assistant", "content": text}} if chat else {"text": text}
    asked = len(prompt_of(body).split()) or 1
    usage = {"prompt_tokens": asked, "completion_tokens": len(words), "total_tokens": asked + len(words)}
    return {
        "id": "double-1", "object": object_name, "created": 0, "model": body["model"],
        "choices": [choice], "usage": usage,
    }  # fmt: skip


def openai_stream(body: Json, voice: str = "") -> Iterator[bytes]:
    """Return the same in parts, as server-sent events."""
    whole = openai_chat(body, voice=voice)
    head = {"id": whole["id"], "object": "chat.completion.chunk", "created": 0, "model": body["model"]}
    for word in whole["choices"][0]["message"]["content"].split():
        part = {"index": 0, "delta": {"content": f"{word} "}, "finish_reason": None}
        yield event({**head, "choices": [part]})
    yield event({**head, "choices": [{"index": 0, "delta": {}, "finish_reason": "length"}]})
    if (body.get("stream_options") or {}).get("include_usage"):
        yield event({**head, "choices": [], "usage": whole["usage"]})
    yield b"data: [DONE]\n\n"


def openai_embeddings(body: Json) -> Json:
    """Return embeddings in the form of the OpenAI API."""
    given = body.get("input")
    texts = [given] if isinstance(given, str) else list(given or [])
    data = [
        {"object": "embedding", "index": number, "embedding": embedding_of(text)}
        for number, text in enumerate(texts)
    ]
    count = sum(len(str(text).split()) for text in texts)
    return {
        "object": "list", "data": data, "model": body["model"],
        "usage": {"prompt_tokens": count, "total_tokens": count},
    }  # fmt: skip


def event(content: Json) -> bytes:
    """Return a server-sent event."""
    return b"data: " + json.dumps(content).encode() + b"\n\n"


class Handler(BaseHTTPRequestHandler):
    """Answers by the functions of `routes`: (method, path) -> function of handler and body."""

    protocol_version = "HTTP/1.1"
    routes: Mapping[tuple[str, str], Callable[[Handler, Json], object]] = {}

    def do_GET(self) -> None:
        """Answer."""
        self._answer("GET")

    def do_HEAD(self) -> None:
        """Answer without a body."""
        self._answer("HEAD")

    def do_POST(self) -> None:
        """Answer."""
        self._answer("POST")

    def do_PUT(self) -> None:
        """Answer."""
        self._answer("PUT")

    def do_DELETE(self) -> None:
        """Answer."""
        self._answer("DELETE")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Write to the log of the container."""
        say(format % args)

    def find(self, method: str, path: str) -> Callable[[Handler, Json], object] | None:
        """Return who answers a path; engines with paths that hold names replace it."""
        return self.routes.get((method, path))

    def allowed(self, path: str) -> None:
        """Refuse callers without a key; engines that have one replace it."""

    def unread(self, path: str) -> bool:
        """Tell whether a request's body is no JSON (a file), which who answers reads."""
        kind = self.headers.get("Content-Type") or ""
        return path.startswith("/api/blobs/") or kind.startswith("multipart/form-data")

    def as_json(self, text: bytes) -> Json:
        """Return a request's JSON."""
        try:
            found = json.loads(text or b"{}")
        except ValueError:
            raise RefusedError(400, {"error": "invalid JSON"}) from None
        return found if isinstance(found, dict) else {}

    def send(self, status: int, content: object, kind: str = "application/json") -> None:
        """Send a whole answer."""
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def send_parts(self, parts: Iterable[bytes], kind: str) -> None:
        """Send an answer in parts, as they come."""
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for part in parts:
            self.wfile.write(f"{len(part):x}\r\n".encode() + part + b"\r\n")
            self.wfile.flush()
        self.wfile.write(b"0\r\n\r\n")

    def _answer(self, method: str) -> None:
        path = self.path.partition("?")[0]
        try:
            # Read before anybody is refused: what is left would be taken for the connection's next request.
            text = b"" if self.unread(path) else self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self.allowed(path)
            found = self.find(method, path) or _not_found
            answer = found(self, self.as_json(text))
            if answer is not None:
                self.send(200, answer)
        except RefusedError as refused:
            self.send(refused.status, refused.body)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True


def _not_found(handler: Handler, _: Json) -> None:
    raise RefusedError(404, {"error": f"{handler.command} {handler.path} not found"})


def serve(
    handler: type[Handler],
    port: int,
    host: str = "0.0.0.0",  # noqa: S104 - in a container
    tls: tuple[str, str] | None = None,
) -> None:
    """Serve until asked to stop; answers that run are finished first. `tls`: files of certificate and key."""
    server = ThreadingHTTPServer((host, port), handler)
    if tls is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*tls)
        # The handshake is the connection's own thread's: a client that says nothing holds up nobody.
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    server.daemon_threads = False
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: threading.Thread(target=server.shutdown).start())
    say(f"listening on {host}:{port}")
    server.serve_forever()
    server.server_close()
