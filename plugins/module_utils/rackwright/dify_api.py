"""The console API of Dify, as far as it is needed to set it up: what its own page asks, and nothing else."""

from __future__ import annotations

import base64
import http.client
import json
import secrets
import time
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import urlencode, urlsplit

PREFIX = "/console/api"
CSRF_HEADER = "X-CSRF-Token"
# 2xx.
_GOOD = 2


class DifyError(Exception):
    """Dify refused, or does not answer; the text says what it did."""

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


class Console:
    """A session at the console.

    Cookies are kept by hand: Dify marks them for TLS alone, which is not spoken on its own host.
    """

    def __init__(self, url: str, seconds: int) -> None:
        parts = urlsplit(url)
        self.host, self.port, self.seconds = parts.hostname or "", parts.port or 80, seconds
        self.cookies: dict[str, str] = {}

    def ask(self, method: str, path: str, body: object = None, **query: str) -> Any:  # noqa: ANN401 - JSON
        """Ask, and return what came back.

        Raises:
            DifyError: Another status than 2xx, or no answer.
        """
        content = None if body is None else json.dumps(body).encode()
        return self._send(method, path, content, "application/json", query)

    def upload(self, path: str, field: str, name: str, content: bytes) -> Any:  # noqa: ANN401 - JSON
        """Send a file as a form does, and return what came back."""
        line = f"rackwright-{secrets.token_hex(16)}"
        head = f'--{line}\r\nContent-Disposition: form-data; name="{field}"; filename="{name}"\r\n'
        head += "Content-Type: application/octet-stream\r\n\r\n"
        form = head.encode() + content + f"\r\n--{line}--\r\n".encode()
        return self._send("POST", path, form, f"multipart/form-data; boundary={line}", {})

    def log_in(self, email: str, password: str) -> None:
        """Become this account.

        Raises:
            DifyError: It is not let in.
        """
        # Releases since 1.11 take the password in base64, those before as it is.
        for shown in (base64.b64encode(password.encode()).decode(), password):
            try:
                self.ask("POST", "/login", {"email": email, "password": shown, "remember_me": False})
            except DifyError as error:
                if error.status not in (400, 401):
                    raise
                refused = error
                continue
            if self._cookie("access_token"):
                return
            refused = DifyError("the login gave no session")
        raise refused

    def _cookie(self, name: str) -> str:
        found = [value for key, value in self.cookies.items() if key in (name, f"__Host-{name}")]
        return found[0] if found else ""

    def _send(self, method: str, path: str, body: bytes | None, kind: str, query: dict[str, str]) -> Any:  # noqa: ANN401
        headers = {"Accept": "application/json"}
        if body is not None:
            headers["Content-Type"] = kind
        if self.cookies:
            headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        if self._cookie("csrf_token"):
            headers[CSRF_HEADER] = self._cookie("csrf_token")
        target = f"{PREFIX}{path}{'?' + urlencode(query) if query else ''}"
        connection = http.client.HTTPConnection(self.host, self.port, timeout=self.seconds)
        try:
            connection.request(method, target, body, headers)
            answer = connection.getresponse()
            text = answer.read().decode(errors="replace")
        except (OSError, http.client.HTTPException) as error:
            raise DifyError(f"{method} {PREFIX}{path}: {error}") from error
        finally:
            connection.close()
        for line in answer.headers.get_all("Set-Cookie") or []:
            for name, morsel in SimpleCookie(line).items():
                self.cookies[name] = morsel.value
        if answer.status // 100 != _GOOD:
            raise DifyError(f"{method} {PREFIX}{path}: {answer.status} {text[:400]}", answer.status)
        try:
            return json.loads(text) if text else {}
        except ValueError as error:
            raise DifyError(f"{method} {PREFIX}{path}: no JSON: {text[:100]!r}") from error


def waited_for(console: Console, task: str, seconds: int) -> None:
    """Wait for the plugin daemon to have installed what a task is about.

    Raises:
        DifyError: It failed, or took too long; with what the daemon said.
    """
    until = time.monotonic() + seconds
    while True:
        found = console.ask("GET", f"/workspaces/current/plugin/tasks/{task}")["task"]
        if found["status"] == "success":
            return
        said = "; ".join(str(plugin.get("message", "")) for plugin in found.get("plugins", []))
        if found["status"] == "failed":
            raise DifyError(f"the plugin was not installed: {said[-1500:]}")
        if time.monotonic() > until:
            raise DifyError(f"the plugin is not installed after {seconds} s: {said[-500:]}")
        time.sleep(1)
