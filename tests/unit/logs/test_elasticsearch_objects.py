"""What brings Elasticsearch's objects in force: what it writes, what it would, which password it needs."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from rackwright.logs.agent import objects
from rackwright.logs.agent.client import Client

POLICY = {"path": "/_ilm/policy/x", "body": {"policy": {"phases": {}}}}
USER = {"path": "/_security/user/reader", "body": {"password": "r" * 32, "roles": ["reader"]}}


class Server:
    """Answers as Elasticsearch does, from memory."""

    def __init__(self) -> None:
        self.passwords = {"elastic": "old"}
        self.saved: dict[str, Any] = {}
        self.writes = 0

    def request(self, user: str, password: str, method: str, path: str, body: bytes) -> tuple[int, bytes]:
        if self.passwords.get(user) != password:
            return 401, b"{}"
        if path == "/_security/_authenticate":
            return 200, b"{}"
        name = path.split("/")[3]
        if method == "GET":
            found = self.saved.get(path)
            return (200, json.dumps({name: found}).encode()) if found else (404, b"{}")
        self.writes += 1
        given = json.loads(body)
        if "password" in given:
            self.passwords[name] = given.pop("password")
        if not path.endswith("/_password"):
            self.saved[path] = given
        return 200, b"{}"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Server:
    made = Server()

    def request(client: Client, method: str, path: str, body: bytes, _: object) -> tuple[int, bytes]:
        user, _, password = base64.b64decode(client._headers["Authorization"][6:]).decode().partition(":")
        return made.request(user, password, method, path, body)

    monkeypatch.setattr(Client, "request", request)
    (tmp_path / "elastic.password").write_text("new\n")
    (tmp_path / "elastic.password.in-force").write_text("old\n")
    (tmp_path / "objects.json").write_text(json.dumps([POLICY, USER]))
    return made


def run(tmp_path: Path, capsys: pytest.CaptureFixture[str], *options: str) -> list[str]:
    objects.main(["https://10.0.0.1:9200", str(tmp_path), "", *options])
    return capsys.readouterr().out.splitlines()


EVERYTHING = ["changed /_security/user/elastic", "changed /_ilm/policy/x", "changed /_security/user/reader"]


def test_a_look_alone_tells_the_same_and_writes_nothing(
    server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path, capsys, "--check") == EVERYTHING
    assert (server.writes, (tmp_path / "elastic.password.in-force").read_text()) == (0, "old\n")
    assert run(tmp_path, capsys) == EVERYTHING
    assert run(tmp_path, capsys, "--check") == []
    server.saved["/_ilm/policy/x"] = {"policy": {"phases": {"hot": {}}}}
    server.saved["/_security/user/reader"]["roles"] = ["superuser"]
    assert run(tmp_path, capsys, "--check") == ["changed /_security/user/reader"]


def test_a_password_that_nobody_knows_is_told(
    server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server.passwords["elastic"] = "another"
    with pytest.raises(SystemExit, match="neither the vault's password"):
        run(tmp_path, capsys, "--check")
