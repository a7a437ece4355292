"""Grafana's HTTP API (user, admin, org), as far as accounts and provisioning are seen to by it."""

from __future__ import annotations

import base64
import json
import ssl
import time
import urllib.error
import urllib.parse
import urllib.request
from typing import Any

OK, UNAUTHORIZED, NOT_FOUND = 200, 401, 404
_SECONDS = 30


class GrafanaError(Exception):
    """The server refused, or does not answer; says what it was asked."""


class Grafana:
    """One server, asked as one account."""

    def __init__(self, url: str, ca_path: str, login: str, password: str) -> None:
        self._url = url.rstrip("/")
        context = ssl.create_default_context(cafile=ca_path) if url.startswith("https") else None
        self._opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
        )
        self._ca_path = ca_path
        token = base64.b64encode(f"{login}:{password}".encode()).decode()
        self._headers = {"Authorization": f"Basic {token}", "Content-Type": "application/json"}

    def as_account(self, login: str, password: str) -> Grafana:
        """Return the same server, asked as another account."""
        return Grafana(self._url, self._ca_path, login, password)

    def ask(
        self, method: str, path: str, body: dict[str, Any] | None = None, expected: tuple[int, ...] = (OK,)
    ) -> tuple[int, Any]:
        """Ask once; return status and answer.

        Raises:
            GrafanaError: It does not answer, or with another status than those that are expected.
        """
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self._url}{path}", data, self._headers, method=method)  # noqa: S310
        try:
            with self._opener.open(request, timeout=_SECONDS) as answer:
                status, text = answer.status, answer.read()
        except urllib.error.HTTPError as error:
            status, text = error.code, error.read()
        except OSError as error:
            raise GrafanaError(f"{method} {path}: {error}") from error
        try:
            said = json.loads(text or b"null")
        except ValueError:
            said = None
        if status not in expected:
            told = said.get("message") if isinstance(said, dict) else text[:200].decode(errors="replace")
            raise GrafanaError(f"{method} {path}: {status} {told}")
        return status, said

    def lets_in(self) -> bool:
        """Tell whether the account's password is right."""
        status, _ = self.ask("GET", "/api/user", expected=(OK, UNAUTHORIZED))
        return status == OK

    def wait(self, seconds: float) -> None:
        """Wait until it answers.

        Raises:
            GrafanaError: It does not within the time.
        """
        end = time.monotonic() + seconds
        while True:
            try:
                self.ask("GET", "/api/health")
            except GrafanaError:
                if time.monotonic() > end:
                    raise
                time.sleep(1)
            else:
                return

    def members(self) -> dict[str, dict[str, Any]]:
        """Return {id, role} of every account of the organisation, by login."""
        _, found = self.ask("GET", "/api/org/users")
        return {entry["login"]: {"id": entry["userId"], "role": entry["role"]} for entry in found}

    def create(self, login: str, password: str) -> int:
        """Make an account; return its number."""
        body = {"name": login, "login": login, "password": password, "OrgId": 1}
        _, made = self.ask("POST", "/api/admin/users", body)
        return int(made["id"])

    def set_password(self, number: int, password: str) -> None:
        """Give an account another password."""
        self.ask("PUT", f"/api/admin/users/{number}/password", {"password": password})

    def set_role(self, number: int, role: str) -> None:
        """Give an account another role."""
        self.ask("PATCH", f"/api/org/users/{number}", {"role": role})

    def read_datasources(self) -> None:
        """Have the files of datasources read again."""
        self.ask("POST", "/api/admin/provisioning/datasources/reload")
