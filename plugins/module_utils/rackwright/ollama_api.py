"""Ollama's API, as far as models are seen to by it: list, blobs, create, pull."""

from __future__ import annotations

import hashlib
import http.client
import json
import os
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

_CHUNK = 1024 * 1024
_SHORT = 30.0


class OllamaError(Exception):
    """The server refused, or does not answer; says what it was asked."""


class Ollama:
    """One server."""

    def __init__(self, url: str, seconds: float) -> None:
        """Remember where it is.

        Args:
            url: http://<address>:<port>
            seconds: How long it may take to make a model of a file, or to send the next part of a pull.
        """
        parts = urlsplit(url)
        self._place = (parts.hostname or "", parts.port or 11434)
        self._seconds = seconds

    def tags(self) -> dict[str, str]:
        """Return the digest of every model that it has, by name."""
        answer = self._asked("GET", "/api/tags")
        return {str(model["name"]): str(model["digest"]) for model in json.loads(answer)["models"] or []}

    def has_blob(self, sha256: str) -> bool:
        """Tell whether a file is in its store."""
        connection, response = self._send("HEAD", f"/api/blobs/sha256:{sha256}", None, {}, _SHORT)
        connection.close()
        return response.status == 200  # noqa: PLR2004 - OK

    def upload(self, file: Path, sha256: str) -> None:
        """Send a file to its store; the server checks the checksum itself."""
        with file.open("rb") as content:
            size = os.fstat(content.fileno()).st_size
            headers = {"Content-Length": str(size), "Content-Type": "application/octet-stream"}
            connection, response = self._send(
                "POST", f"/api/blobs/sha256:{sha256}", content, headers, self._seconds
            )
            self._read(connection, response, f"taking {file}")

    def create(self, model: dict[str, Any]) -> None:
        """Make a model of a file that is in its store, with what a Modelfile would say."""
        body: dict[str, Any] = {"model": model["name"], "stream": False}
        body["files"] = {Path(model["file"]).name: f"sha256:{model['sha256']}"}
        body |= {key: model[key] for key in ("template", "system", "license", "parameters") if model.get(key)}
        answer = json.loads(self._asked("POST", "/api/create", body, self._seconds))
        if answer.get("status") != "success":
            raise OllamaError(f"making {model['name']}: {answer}")

    def pull(self, source: str) -> None:
        """Have it fetch a model from a registry; each part of its progress has `seconds`."""
        body = {"model": source, "stream": True}
        connection, response = self._send("POST", "/api/pull", json.dumps(body).encode(), {}, self._seconds)
        if response.status >= 400:  # noqa: PLR2004 - refused
            self._read(connection, response, f"pulling {source}")
        last: dict[str, Any] = {}
        try:
            for line in response:
                last = json.loads(line)
                if "error" in last:
                    raise OllamaError(f"pulling {source}: {last['error']}")
        except (OSError, ValueError, http.client.HTTPException) as error:
            raise OllamaError(f"pulling {source}: {error}") from error
        finally:
            response.close()
            connection.close()
        if last.get("status") != "success":
            raise OllamaError(
                f"pulling {source}: the connection ended at {last.get('status', 'the beginning')!r}"
            )

    def copy(self, source: str, name: str) -> None:
        """Give a model a second name."""
        self._asked("POST", "/api/copy", {"source": source, "destination": name})

    def remove(self, name: str) -> None:
        """Have it forget a model; files that no other model has go with it."""
        self._asked("DELETE", "/api/delete", {"model": name})

    def _asked(
        self, method: str, path: str, body: dict[str, Any] | None = None, seconds: float = _SHORT
    ) -> str:
        data = None if body is None else json.dumps(body).encode()
        headers = {} if body is None else {"Content-Type": "application/json"}
        connection, response = self._send(method, path, data, headers, seconds)
        return self._read(connection, response, f"{method} {path}")

    def _send(
        self,
        method: str,
        path: str,
        body: IO[bytes] | bytes | None,
        headers: dict[str, str],
        seconds: float,
    ) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
        connection = http.client.HTTPConnection(*self._place, timeout=seconds)
        try:
            connection.request(method, path, body, headers)
            return connection, connection.getresponse()
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise OllamaError(f"{method} {path} at {self._place[0]}:{self._place[1]}: {error}") from error

    @staticmethod
    def _read(connection: http.client.HTTPConnection, response: http.client.HTTPResponse, what: str) -> str:
        try:
            text = response.read().decode("utf-8", "replace")
        except (OSError, http.client.HTTPException) as error:
            raise OllamaError(f"{what}: {error}") from error
        finally:
            connection.close()
        if response.status >= 400:  # noqa: PLR2004 - refused
            raise OllamaError(f"{what}: status {response.status}, {text[:500]}")
        return text


def link_blob(file: Path, blobs: Path, sha256: str) -> bool:
    """Put a file into a store as a second name of it, so that it takes its place once; or say no."""
    target = blobs / f"sha256-{sha256}"
    try:
        os.link(file, target)
    except OSError:
        return False
    return True


def checksum(file: Path) -> str:
    """Return a file's SHA-256, as hexadecimal digits."""
    digest = hashlib.sha256()
    with file.open("rb") as content:
        while chunk := content.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
