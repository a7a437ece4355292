"""Contract double of model registries: a small HTTP server that speaks the documented APIs, and can fail.

Ollama's registry (distribution protocol), Hugging Face's hub API, ModelScope's, and a site's own mirror. It
stands in for servers on the internet; nothing that users install has any of it.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections import Counter
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlparse


@dataclass
class Registry:
    """What the double serves and how it fails.

    Attributes:
        answers: Path with query -> JSON.
        content: Path with query -> bytes of a file.
        cut_after: Path -> bytes after which the connection is cut, each time.
        cuts: Path -> how many more times it is cut.
        corrupt: Path -> how many more times its content is damaged.
        busy: Path -> how many more times it answers 503.
        tokens: Tokens that are asked for; none: everybody may read.
        ranges: Whether it knows ranges.
    """

    answers: dict[str, Any] = field(default_factory=dict)
    content: dict[str, bytes] = field(default_factory=dict)
    redirects: dict[str, str] = field(default_factory=dict)
    cut_after: dict[str, int] = field(default_factory=dict)
    cuts: Counter[str] = field(default_factory=Counter)
    corrupt: Counter[str] = field(default_factory=Counter)
    busy: Counter[str] = field(default_factory=Counter)
    tokens: set[str] = field(default_factory=set)
    ranges: bool = True
    requests: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    sent: Counter[str] = field(default_factory=Counter)
    url: str = ""

    def ollama(self, name: str, tag: str, layers: dict[str, bytes]) -> None:
        """Serve a model of Ollama's registry: media type -> content."""

        def layer(media: str, data: bytes) -> dict[str, Any]:
            digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
            self.content[f"/v2/library/{name}/blobs/{digest}"] = data
            return {"mediaType": media, "digest": digest, "size": len(data)}

        config = layer("application/vnd.docker.container.image.v1+json", b'{"model_format":"gguf"}')
        self.answers[f"/v2/library/{name}/manifests/{tag}"] = {
            "schemaVersion": 2,
            "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
            "config": config,
            "layers": [layer(f"application/vnd.ollama.image.{kind}", data) for kind, data in layers.items()],
        }

    def huggingface(self, repository: str, files: dict[str, bytes], licence: str = "apache-2.0") -> None:
        """Serve a repository of Hugging Face: small files have git's name, weights are large files."""
        commit = hashlib.sha1(repository.encode(), usedforsecurity=False).hexdigest()
        siblings = []
        for path, data in files.items():
            git = hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()
            entry: dict[str, Any] = {"rfilename": path, "size": len(data), "blobId": git}
            if path.endswith((".gguf", ".safetensors")):
                sha256 = hashlib.sha256(data).hexdigest()
                entry["lfs"] = {"sha256": sha256, "size": len(data), "pointerSize": 134}
                # Large files come from another server, as the hub's do.
                self.redirects[f"/{repository}/resolve/{commit}/{path}"] = f"/cdn/{sha256}"
                self.content[f"/cdn/{sha256}"] = data
            else:
                self.content[f"/{repository}/resolve/{commit}/{path}"] = data
            siblings.append(entry)
        self.answers[f"/api/models/{repository}/revision/main?blobs=true"] = {
            "id": repository,
            "sha": commit,
            "siblings": siblings,
            "cardData": {"license": licence},
        }

    def modelscope(
        self, repository: str, files: dict[str, bytes], licence: str = "Apache License 2.0"
    ) -> None:
        """Serve a repository of ModelScope."""
        base = f"/api/v1/models/{repository}"
        entries: list[dict[str, Any]] = [{"Type": "tree", "Path": "assets", "Size": 0}]
        for path, data in files.items():
            sha256 = hashlib.sha256(data).hexdigest()
            entries.append(
                {"Type": "blob", "Path": path, "Size": len(data), "Sha256": sha256, "Revision": "v1"}
            )
            self.content[f"{base}/repo?Revision=v1&FilePath={path}"] = data
        self.answers[f"{base}/repo/files?Revision=master&Recursive=true"] = {
            "Code": 200,
            "Data": {"Files": entries},
            "Success": True,
        }
        self.answers[f"{base}?Revision=master"] = {"Code": 200, "Data": {"License": licence}, "Success": True}


class _Handler(BaseHTTPRequestHandler):
    registry: Registry
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        registry, path = self.registry, unquote(self.path)
        registry.requests.append((path, dict(self.headers)))
        if registry.busy[path] > 0:
            registry.busy[path] -= 1
            return self._answer(503, b"busy")
        if registry.tokens and not self._may():
            return self._answer(401, b"who are you?")
        if path in registry.redirects:
            return self._answer(302, b"", {"Location": registry.redirects[path]})
        if path in registry.answers:
            return self._answer(200, json.dumps(registry.answers[path]).encode())
        data = registry.content.get(path)
        if data is None:
            return self._answer(404, b"nothing here")
        return self._file(path, data)

    def _file(self, path: str, data: bytes) -> None:
        registry, start, status = self.registry, 0, 200
        asked = self.headers.get("Range")
        if asked and registry.ranges:
            start, status = int(asked.removeprefix("bytes=").rstrip("-")), 206
            if start >= len(data):
                return self._answer(416, b"")
        part = data[start:]
        if registry.corrupt[path] > 0:
            registry.corrupt[path] -= 1
            part = bytes([part[0] ^ 255]) + part[1:]
        self.send_response(status)
        self.send_header("Content-Length", str(len(part)))
        if status == 206:
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        self.end_headers()
        if registry.cuts[path] > 0:
            registry.cuts[path] -= 1
            part = part[: registry.cut_after[path]]
            self.close_connection = True
        registry.sent[path] += len(part)
        self.wfile.write(part)
        return None

    def _answer(self, status: int, data: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _may(self) -> bool:
        # A server of large files is told no token: it has its own signature in the address.
        given = self.headers.get("Authorization", "").removeprefix("Bearer ")
        return given in self.registry.tokens or urlparse(self.path).path.startswith("/cdn/")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class' name
        """Say nothing."""


def serve(registry: Registry) -> ThreadingHTTPServer:
    """Start the double on a free port of this machine; its url is then in the registry."""
    handler = type("Handler", (_Handler,), {"registry": registry})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    registry.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    return server


def query(path: str) -> dict[str, list[str]]:
    """Return the query of a path."""
    return parse_qs(urlparse(path).query)
