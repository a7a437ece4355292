"""Milvus' REST API v2, as far as users, roles and their privileges are seen to by it."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from typing import Any

_SECONDS = 30
# Since 2.4 it is 0; releases before said 200.
_DONE = (0, 200)
_REFUSED = (401, 403)
Grant = tuple[str, str]


class MilvusError(Exception):
    """The server refused, or does not answer; says what it was asked."""


class NotLetInError(MilvusError):
    """The user is not known, or its password is another."""


class Milvus:
    """One server, asked as one user."""

    def __init__(self, url: str, user: str, password: str) -> None:
        self._url = url.rstrip("/")
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        self._headers = {"Authorization": f"Bearer {user}:{password}", "Content-Type": "application/json"}

    def as_user(self, user: str, password: str) -> Milvus:
        """Return the same server, asked as another user."""
        return Milvus(self._url, user, password)

    def ask(self, what: str, **body: object) -> Any:  # noqa: ANN401 - whatever it answers
        """Ask once; return the answer's data.

        Raises:
            NotLetInError: The user's password is not right.
            MilvusError: It does not answer, or refuses.
        """
        request = urllib.request.Request(  # noqa: S310 - the scheme is the role's
            f"{self._url}/v2/vectordb/{what}", json.dumps(body).encode(), self._headers, method="POST"
        )
        try:
            with self._opener.open(request, timeout=_SECONDS) as answer:
                said = json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                told = error.read()[:200].decode(errors="replace")
            kind = NotLetInError if error.code in _REFUSED else MilvusError
            raise kind(f"{what}: {error.code} {told}") from error
        except (OSError, ValueError) as error:
            raise MilvusError(f"{what}: {error}") from error
        if said.get("code") not in _DONE:
            raise MilvusError(f"{what}: {said.get('code')} {said.get('message', '')}")
        return said.get("data")

    def lets_in(self) -> bool:
        """Tell whether the user's password is right."""
        try:
            self.ask("collections/has", collectionName="rackwright_is_not_there")
        except NotLetInError:
            return False
        return True

    def wait(self, seconds: float) -> None:
        """Wait until it answers anybody.

        Raises:
            MilvusError: It does not within the time.
        """
        end = time.monotonic() + seconds
        while True:
            try:
                self.lets_in()
            except MilvusError:
                if time.monotonic() > end:
                    raise
                time.sleep(1)
            else:
                return

    def users(self) -> set[str]:
        """Return the names of all users."""
        return set(self.ask("users/list"))

    def roles(self) -> set[str]:
        """Return the names of all roles."""
        return set(self.ask("roles/list"))

    def grants(self, role: str) -> set[Grant]:
        """Return what a role may do everywhere: kind of object, privilege."""
        found = self.ask("roles/describe", roleName=role) or []
        return {(one["objectType"], one["privilege"]) for one in found if one.get("objectName") == "*"}

    def grant(self, role: str, grant: Grant, what: str = "grant") -> None:
        """Let a role do something everywhere; with ``revoke`` no longer."""
        kind, privilege = grant
        self.ask(
            f"roles/{what}_privilege", roleName=role, objectType=kind, objectName="*", privilege=privilege
        )
