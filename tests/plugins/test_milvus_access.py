"""`milvus_access` against a server that answers as Milvus' REST API v2 does about users and roles."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar, TypeAlias

import pytest

RunModule: TypeAlias = Callable[..., dict[str, Any]]
ROOT, KEY = "r" * 48, "k" * 48
WANTED = {"Global": ["DescribeCollection"], "Collection": ["Search", "Query"]}


class Users(BaseHTTPRequestHandler):
    """Users, roles and grants in memory; only root looks at them."""

    users: ClassVar[dict[str, str]] = {}
    roles: ClassVar[dict[str, set[tuple[str, str]]]] = {}
    has: ClassVar[dict[str, set[str]]] = {}
    writes: ClassVar[list[str]] = []

    def do_POST(self) -> None:
        """Answer."""
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        user, _, password = self.headers["Authorization"].removeprefix("Bearer ").partition(":")
        what = self.path.removeprefix("/v2/vectordb/")
        if self.users.get(user) != password:
            self.say(401, {"code": 1800, "message": "user hasn't authenticated"})
        elif what == "collections/has":
            self.say(200, {"code": 0, "data": {"has": False}})
        elif user != "root":
            self.say(403, {"code": 65535, "message": "permission deny"})
        else:
            self.say(200, {"code": 0, "data": self.done(what, body)})

    def done(self, what: str, body: dict[str, Any]) -> Any:  # noqa: ANN401, C901 - JSON; a table
        """Do what root asks."""
        if not what.endswith(("list", "describe")):
            self.writes.append(what)
        name, role = body.get("userName", ""), body.get("roleName", "")
        match what:
            case "users/list":
                return list(self.users)
            case "roles/list":
                return list(self.roles)
            case "users/describe":
                return sorted(self.has.get(name, set()))
            case "roles/describe":
                return [
                    {"objectType": kind, "objectName": "*", "privilege": one, "dbName": "default"}
                    for kind, one in self.roles[role]
                ]
            case "users/create":
                self.users[name] = body["password"]
            case "users/drop":
                del self.users[name]
                self.has.pop(name, None)
            case "users/update_password":
                assert self.users[name] == body["password"]
                self.users[name] = body["newPassword"]
            case "users/grant_role":
                self.has.setdefault(name, set()).add(role)
            case "roles/create":
                self.roles[role] = set()
            case "roles/grant_privilege":
                self.roles[role].add((body["objectType"], body["privilege"]))
            case "roles/revoke_privilege":
                self.roles[role].remove((body["objectType"], body["privilege"]))
        return {}

    def say(self, status: int, content: object) -> None:
        """Send an answer."""
        text = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Say nothing."""


@pytest.fixture
def url() -> Iterator[str]:
    Users.users, Users.roles, Users.has, Users.writes = {"root": "Milvus"}, {"admin": set()}, {}, []
    with ThreadingHTTPServer(("127.0.0.1", 0), Users) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def run(run_module: RunModule, url: str, *, check: bool = False, **more: object) -> dict[str, Any]:
    passwords = {"root_password": ROOT, "user": "rackwright", "password": KEY}
    arguments = {"url": url, **passwords, "privileges": WANTED, "seconds": 2, **more}
    return run_module("milvus_access", arguments, check=check)


def test_the_first_password_goes_and_the_user_may_what_it_needs(run_module: RunModule, url: str) -> None:
    foreseen = run(run_module, url, check=True)
    assert (foreseen["changed"], Users.writes) == (True, [])
    made = run(run_module, url)
    assert made["done"][0] == "gave root its password"
    assert Users.users == {"root": ROOT, "rackwright": KEY}
    assert Users.roles["rackwright"] == {
        ("Global", "DescribeCollection"),
        ("Collection", "Search"),
        ("Collection", "Query"),
    }
    assert Users.has == {"rackwright": {"rackwright"}}
    Users.writes.clear()
    again = run(run_module, url)
    assert (again["changed"], again["done"], Users.writes) == (False, [], [])


def test_what_somebody_gave_or_took_is_put_right(run_module: RunModule, url: str) -> None:
    run(run_module, url)
    Users.roles["rackwright"] |= {("Global", "DropCollection")}
    Users.roles["rackwright"] -= {("Collection", "Query")}
    Users.has.clear()
    foreseen = run(run_module, url, check=True)
    assert foreseen["changed"]
    assert ("Global", "DropCollection") in Users.roles["rackwright"]
    again = run(run_module, url)
    assert set(again["done"]) == {
        "grant Collection Query",
        "revoke Global DropCollection",
        "gave rackwright its role",
    }
    assert run(run_module, url)["changed"] is False


def test_new_passwords(run_module: RunModule, url: str) -> None:
    run(run_module, url)
    other = "o" * 48
    rotated = run(run_module, url, password=other)
    assert rotated["done"] == ["set the password of rackwright", "gave rackwright its role"]
    assert Users.users["rackwright"] == other
    refused = run(run_module, url, password=other, root_password="n" * 48)
    assert refused["failed"]
    assert "milvus_former_root_password" in refused["msg"]
    run(run_module, url, password=other, root_password="n" * 48, former_password=ROOT)
    assert Users.users["root"] == "n" * 48


def test_no_server_is_said_and_in_check_mode_all_is_to_come(run_module: RunModule) -> None:
    away = "http://127.0.0.1:9"
    assert "does not answer" in run(run_module, away)["msg"]
    assert run(run_module, away, check=True)["changed"] is True
