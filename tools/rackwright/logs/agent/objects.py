"""Brings the objects of an Elasticsearch in force: policies, template, roles, users, where they differ.

Elasticsearch gives back more than it was given (defaults, times of changes) and numbers as text, so an object
is in force when all that is wanted of it is there.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rackwright.logs.agent.client import Client
from rackwright.logs.agent.wire import UndeliveredError

_UNAUTHORISED, _NOT_FOUND = 401, 404
_WAIT_SECONDS = 120
_JSON = {"Content-Type": "application/json"}
ADMIN = "elastic"


class RefusedError(Exception):
    """The server does not take an object."""


def holds(found: object, wanted: object) -> bool:
    """Tell whether all that is wanted is in what was found, numbers and texts taken for the same."""
    if isinstance(wanted, Mapping):
        return isinstance(found, Mapping) and all(
            holds(found.get(key), value) for key, value in wanted.items()
        )
    if isinstance(wanted, list):
        return isinstance(found, list) and len(found) == len(wanted) and all(map(holds, found, wanted))
    return _text(found) == _text(wanted)


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def found_object(path: str, answer: Mapping[str, Any]) -> object:
    """Return the object itself out of the answer to `GET path`."""
    kind, name = path.strip("/").rsplit("/", 1)
    if kind == "_index_template":
        return next(
            (item["index_template"] for item in answer["index_templates"] if item["name"] == name), None
        )
    found: Mapping[str, Any] = answer.get(name) or {}
    if kind == "_ilm/policy":
        return {"policy": found.get("policy")}
    return found.get("policy") if kind == "_slm/policy" else found


class Server:
    """The server, asked as its administrator.

    Args:
        url: Where it is.
        directory: With the administrator's password.
        authority: Of its certificate.
        check: Nothing is written, and the server is not waited for.
    """

    def __init__(self, url: str, directory: Path, authority: str, *, check: bool = False) -> None:
        self._url, self._authority, self._check = url, authority, check
        self._wanted = (directory / "elastic.password").read_text(encoding="utf-8").strip()
        self._in_force = directory / "elastic.password.in-force"
        self._client = self.as_user(ADMIN, self._wanted)

    def as_user(self, user: str, password: str) -> Client:
        """Return a client of a user."""
        return Client([self._url], self._authority, user, password)

    def log_in(self) -> bool:
        """Wait for the server; have the wanted password in force, and tell whether it was changed."""
        ended = time.monotonic() + (0 if self._check else _WAIT_SECONDS)
        while True:
            try:
                status, _ = self._client.request("GET", "/_security/_authenticate", b"", _JSON)
                if status in {200, _UNAUTHORISED}:
                    break
                reason = f"it answers {status}"
            except UndeliveredError as error:
                reason = str(error)
            if time.monotonic() > ended:
                raise RefusedError(f"the server does not answer: {reason}")
            time.sleep(1)
        changed = status == _UNAUTHORISED
        if changed:
            self._change_password()
        if not self._check:
            self._keep()
        return changed

    def _change_password(self) -> None:
        former = self._in_force.read_text(encoding="utf-8").strip() if self._in_force.is_file() else ""
        client = self.as_user(ADMIN, former)
        if self._check:
            self._client, request = client, ("GET", "/_security/_authenticate", b"")
        else:
            path = f"/_security/user/{ADMIN}/_password"
            request = ("PUT", path, json.dumps({"password": self._wanted}).encode())
        status, _ = client.request(*request, _JSON) if former else (_UNAUTHORISED, b"")
        if status != 200:  # noqa: PLR2004 - done
            raise RefusedError(f"neither the vault's password of `{ADMIN}` nor the one before it is right")

    def _keep(self) -> None:
        if not self._in_force.is_file() or self._in_force.read_text(encoding="utf-8").strip() != self._wanted:
            self._in_force.touch(mode=0o600)
            self._in_force.write_text(self._wanted, encoding="utf-8")

    def bring(self, path: str, body: Mapping[str, Any]) -> bool:
        """Bring one object in force; tell whether it had to be written, or would have to be."""
        if self._is_there(path, body):
            return False
        if self._check:
            return True
        status, answer = self._client.request("PUT", path, json.dumps(body).encode(), _JSON)
        if status not in {200, 201}:
            raise RefusedError(f"PUT {path}: {status} {answer.decode('utf-8', 'replace')[:500]}")
        return True

    def _is_there(self, path: str, body: Mapping[str, Any]) -> bool:
        wanted = dict(body)
        password = wanted.pop("password", None)
        if password is not None:
            user = path.split("/")[3]
            status, _ = self.as_user(user, password).request("GET", "/_security/_authenticate", b"", _JSON)
            if status != 200 or path.endswith("/_password"):  # noqa: PLR2004 - logged in
                return status == 200  # noqa: PLR2004 - as above
        status, answer = self._client.request("GET", path, b"", _JSON)
        if status == _NOT_FOUND:
            return False
        if status != 200:  # noqa: PLR2004 - found
            raise RefusedError(f"GET {path}: {status} {answer.decode('utf-8', 'replace')[:500]}")
        return holds(found_object(path, json.loads(answer)), wanted)


def main(arguments: list[str]) -> None:
    """Arguments: the server's URL, the directory of objects.json, the authority's certificate.

    With `--check` behind them nothing is written.
    """
    url, directory, authority, *options = arguments
    server = Server(url, Path(directory), authority, check="--check" in options)
    objects = json.loads((Path(directory) / "objects.json").read_text(encoding="utf-8"))
    try:
        changed = [f"/_security/user/{ADMIN}"] if server.log_in() else []
        changed += [item["path"] for item in objects if server.bring(item["path"], item["body"])]
    except (RefusedError, UndeliveredError) as error:
        raise SystemExit(f"rackwright-elasticsearch: {error}") from None
    for path in changed:
        sys.stdout.write(f"changed {path}\n")
