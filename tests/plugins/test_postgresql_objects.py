"""postgresql_objects: what it asks for, what it changes, and what it never shows.

The server is played by a small class here; the real one is asked in molecule/postgresql.
"""

from __future__ import annotations

import base64
import os
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from ansible.module_utils.rackwright.postgresql import (
    PostgresqlError,
    identifier,
    literal,
    new_verifier,
    running_server,
    same_password,
    scram_verifier,
)
from ansible.module_utils.rackwright.postgresql_plan import check_names, plan, state_query
from hypothesis import given, settings
from hypothesis import strategies as st

Value: TypeAlias = Any
PASSWORD = "correct-horse-battery-staple"
passwords = st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=40)
# RFC 7677, section 3: password `pencil`, and this salt.
RFC_SALT = "W22ZaJ0SNY7soEsUEjb6gQ=="
RFC_VERIFIER = (
    f"SCRAM-SHA-256$4096:{RFC_SALT}$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY="
    ":wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="
)


# What a database holds when it is as `wanted` says.
THERE = {"ai_platform": {"extensions": ["plpgsql", "pg_stat_statements"], "users": ["app"]}}


def wanted(**changes: Value) -> dict[str, Value]:
    role = {"name": "app", "password": PASSWORD, "connection_limit": 20, "member_of": []}
    database = {"name": "ai_platform", "owner": "postgres", "users": ["app"]}
    database["extensions"] = ["pg_stat_statements"]
    return {"roles": [role], "databases": [database]} | changes


def present(**changes: Value) -> dict[str, Value]:
    role = {"password": new_verifier(PASSWORD), "limit": 20, "login": True, "member_of": [], "powers": []}
    return {
        "version": 170011,
        "loaded": 4e9,
        "pending": [],
        "errors": [],
        "roles": {"app": role},
        "databases": {"ai_platform": {"owner": "postgres", "public": False}},
    } | changes


def test_verifier_is_the_standards() -> None:
    assert scram_verifier("pencil", base64.b64decode(RFC_SALT)) == RFC_VERIFIER


@settings(max_examples=20)  # PBKDF2 is slow on purpose
@given(passwords, passwords)
def test_a_stored_verifier_knows_its_own_password_only(password: str, other: str) -> None:
    stored = new_verifier(password)
    assert same_password(password, stored)
    assert same_password(other, stored) == (other == password)
    assert new_verifier(password) != stored  # a fresh salt each time


@pytest.mark.parametrize("stored", [None, "", "md5aabbcc", "SCRAM-SHA-256$4096:x", PASSWORD])
def test_anything_but_a_verifier_is_no_match(stored: str | None) -> None:
    assert not same_password(PASSWORD, stored)


@given(st.text())
def test_quoting_keeps_a_text_in_one_piece(text: str) -> None:
    for quoted, mark in ((literal(text), "'"), (identifier(text), '"')):
        assert quoted[0] == quoted[-1] == mark
        inside = quoted[1:-1].replace(mark * 2, "")
        assert mark not in inside
        assert quoted[1:-1].replace(mark * 2, mark) == text


def test_nothing_differs_nothing_changes() -> None:
    assert plan(wanted(), present(), THERE) == []


def test_all_that_is_missing_comes_in_an_order_that_works() -> None:
    changes = plan(wanted(), {"roles": {}, "databases": {}}, {})
    assert [change.kind for change in changes] == ["role", "database", "extensions", "users"]
    assert [change.database for change in changes] == ["postgres", "postgres", "ai_platform", "ai_platform"]
    assert 'REVOKE ALL ON DATABASE "ai_platform" FROM PUBLIC;' in changes[1].sql


@pytest.mark.parametrize("change", [{"owner": "app"}, {"public": True}])
def test_who_came_in_as_the_owner_or_as_anybody_still_comes_in_after(change: dict[str, Value]) -> None:
    held = present(databases={"ai_platform": {"owner": "postgres", "public": False} | change})
    changes = plan(wanted(), held, THERE)
    assert [each.kind for each in changes] == ["database", "users"]
    assert 'GRANT CONNECT, TEMPORARY ON DATABASE "ai_platform" TO "app";' in changes[1].sql


def test_a_user_is_let_in_and_owns_nothing() -> None:
    (change,) = plan(wanted(), present(), {"ai_platform": THERE["ai_platform"] | {"users": ["other"]}})
    assert (change.kind, change.actions, change.database) == ("users", ("app let in",), "ai_platform")
    assert change.sql == (
        'GRANT CONNECT, TEMPORARY ON DATABASE "ai_platform" TO "app";',
        'GRANT USAGE, CREATE ON SCHEMA public TO "app";',
    )


def test_a_new_password_changes_that_one_thing() -> None:
    roles = {
        "app": {
            "password": new_verifier("another"),
            "limit": 20,
            "login": True,
            "member_of": [],
            "powers": [],
        }
    }
    (change,) = plan(wanted(), present(roles=roles), THERE)
    assert (change.name, change.actions) == ("app", ("password changed",))
    assert PASSWORD not in "".join(change.sql)
    assert same_password(PASSWORD, change.sql[0].split("'")[1])


@pytest.mark.parametrize(
    ("state", "action"),
    [
        ({"roles": {"app": {"limit": -1}}}, "connection_limit -1 -> 20"),
        ({"roles": {"app": {"login": False}}}, "login allowed"),
        ({"roles": {"app": {"powers": ["SUPERUSER"]}}}, "SUPERUSER taken away"),
        ({"databases": {"ai_platform": {"owner": "app"}}}, "owner app -> postgres"),
        ({"databases": {"ai_platform": {"public": True}}}, "public revoked"),
    ],
)
def test_each_difference_is_found(state: dict[str, dict[str, dict[str, Value]]], action: str) -> None:
    found = present()
    for kind, objects in state.items():
        for name, values in objects.items():
            found[kind][name].update(values)
    assert plan(wanted(), found, THERE)[0].actions == (action,)


@pytest.mark.parametrize("name", ["App", "1app", "a b", 'a"b', "", "a" * 64, "a;drop"])
def test_names_that_need_quoting_rules_are_refused(name: str) -> None:
    for kind, key in (("roles", "name"), ("databases", "name"), ("databases", "owner")):
        if not name and key == "owner":
            continue
        params = wanted()
        params[kind][0][key] = name
        with pytest.raises(PostgresqlError, match=f"postgresql_{kind}"):
            check_names(params)


@pytest.mark.parametrize("name", ["postgres", "pg_monitor"])
def test_what_is_postgresqls_own_is_no_role_of_the_site(name: str) -> None:
    params = wanted()
    params["roles"][0]["name"] = name
    with pytest.raises(PostgresqlError, match="PostgreSQL's own"):
        check_names(params)


@pytest.mark.parametrize("password", ["", "pässword", "line\nbreak"])
def test_passwords_that_scram_would_normalise_are_refused_and_not_shown(password: str) -> None:
    params = wanted()
    params["roles"][0]["password"] = password
    with pytest.raises(PostgresqlError) as refused:
        check_names(params)
    assert not password or password not in str(refused.value)


def test_a_query_for_nothing_is_still_a_query() -> None:
    assert "IN (NULL)" in state_query({"roles": [], "databases": []})


class FakeServer:
    """Answers with what it was given, and remembers what was sent to it."""

    def __init__(self, state: dict[str, Value], extensions: list[str], users: list[str]) -> None:
        self.state, self.extensions, self.users = state, extensions, users
        self.sent: list[tuple[str, str]] = []

    def ask(self, sql: str, _database: str = "postgres") -> Value:
        if "pg_namespace" in sql:
            return {"extensions": self.extensions, "users": self.users}
        return self.extensions if "pg_extension" in sql else self.state

    def run(self, sql: str, database: str = "postgres") -> str:
        self.sent.append((database, sql))
        return ""


class Module:
    """The module on a directory of its own, with a fake server or none."""

    def __init__(
        self, tmp_path: Path, load: Value, run_module: Value, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.configuration = tmp_path / "conf"
        self.configuration.mkdir()
        self._run_module = run_module
        self._monkeypatch = monkeypatch
        self._code = load("modules", "postgresql_objects")
        self.restarts = 0

    def run(self, server: FakeServer | None, check: bool = False, **params: Value) -> dict[str, Value]:
        def restart(_module: Value, _params: Value) -> FakeServer | None:
            self.restarts += 1
            return server

        self._monkeypatch.setattr(self._code, "running_server", lambda *_: server)
        self._monkeypatch.setattr(self._code, "restart", restart)
        arguments = {
            "data_directory": str(self.configuration),
            "configuration_directory": str(self.configuration),
            "unit": "postgresql@17-main.service",
        }
        answer: dict[str, Value] = self._run_module(
            "postgresql_objects", arguments | wanted() | params, check=check
        )
        assert PASSWORD not in str(answer)
        return answer


@pytest.fixture
def module(tmp_path: Path, load: Value, run_module: Value, monkeypatch: pytest.MonkeyPatch) -> Module:
    return Module(tmp_path, load, run_module, monkeypatch)


def test_a_server_that_is_not_there_yet(module: Module) -> None:
    predicted = module.run(None, check=True)
    assert predicted["changed"]
    assert [item["kind"] for item in predicted["items"]] == ["role", "database", "extensions", "users"]
    refused = module.run(None)
    assert refused["failed"]
    assert "start postgresql@17-main.service" in refused["msg"]


def test_check_says_what_apply_does_and_sends_nothing(module: Module) -> None:
    state = present(roles={}, pending=["shared_buffers"])
    server = FakeServer(state, [], ["app"])
    predicted = module.run(server, check=True)
    assert (server.sent, module.restarts) == ([], 0)
    applied = module.run(server)
    assert predicted["items"] == applied["items"]
    assert predicted["restarted_for"] == applied["restarted_for"] == ["shared_buffers"]
    assert module.restarts == 1
    assert [database for database, _ in server.sent] == ["postgres", "ai_platform"]


def test_a_second_run_changes_nothing(module: Module) -> None:
    server = FakeServer(present(), ["pg_stat_statements"], ["app"])
    answer = module.run(server)
    assert not answer["changed"]
    assert server.sent == []


def test_a_refused_configuration_fails_with_what_the_server_says(module: Module) -> None:
    errors = ["pg_hba.conf line 3: invalid authentication method"]
    answer = module.run(FakeServer(present(errors=errors, pending=["port"]), [], []))
    assert answer["failed"]
    assert errors[0] in answer["msg"]
    assert module.restarts == 0


def test_an_error_names_its_object(module: Module, monkeypatch: pytest.MonkeyPatch) -> None:
    server = FakeServer(present(roles={}), ["pg_stat_statements"], ["app"])

    def refuse(_sql: str, _database: str = "postgres") -> str:
        raise PostgresqlError("ERROR: permission denied")

    monkeypatch.setattr(server, "run", refuse)
    answer = module.run(server)
    assert answer["failed"]
    assert answer["msg"] == "role app: ERROR: permission denied"


def test_the_running_server_is_found_by_its_own_pid_file(tmp_path: Path) -> None:
    pid_file = tmp_path / "postmaster.pid"
    assert running_server(None, str(tmp_path)) is None
    lines = [os.getpid(), tmp_path, 1, 5433, "/run/postgresql", "*", "1 2", "ready   "]
    pid_file.write_text("\n".join(map(str, lines)))
    server = running_server(None, str(tmp_path))
    assert server is not None
    assert (server.port, server.socket_directory) == (5433, "/run/postgresql")
    for stale in (
        pid_file.read_text().replace("ready", "starting"),
        pid_file.read_text().replace("ready   ", ""),
    ):
        pid_file.write_text(stale)
        assert running_server(None, str(tmp_path)) is None
    lines[0] = 2**22 + 1  # beyond the largest process number
    pid_file.write_text("\n".join(map(str, lines)))
    assert running_server(None, str(tmp_path)) is None
