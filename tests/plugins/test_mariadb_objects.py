"""Databases, accounts and rights of MariaDB: what is planned for what is there."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.module_utils.rackwright.mariadb import (
    RIGHTS,
    MariadbError,
    account_hosts,
    check,
    plan,
    verifier,
)

PASSWORD = "a-long-random-value"
EMPTY: dict[str, Any] = {"version": "11.8", "databases": [], "accounts": [], "global": [], "rights": []}


def asked(**other: object) -> dict[str, Any]:
    user = {"name": "shop", "password": PASSWORD, "connection_limit": 0}
    return {
        "databases": [{"name": "shop_a", "character_set": "utf8mb4", "collation": "utf8mb4_bin"}],
        "users": [{**user, "grants": [{"database": "shop_a", "rights": "read"}]}],
        "callers": ["10.0.20.11/32"],
        "watcher": "",
        "asked_from": [],
        **other,
    }


def there(**other: object) -> dict[str, Any]:
    """What the server answers once all of `asked` is in place."""
    account = {
        "name": "shop",
        "host": "10.0.20.11",
        "plugin": "mysql_native_password",
        "verifier": verifier(PASSWORD),
        "tls": "ANY",
        "connections": 0,
    }
    rights = [["'shop'@'10.0.20.11'", "shop\\_a", right] for right in RIGHTS["read"]]
    return {**EMPTY, "databases": ["mysql", "shop_a"], "accounts": [account], "rights": rights, **other}


def sql(params: dict[str, Any], state: dict[str, Any]) -> list[str]:
    return [statement for change in plan(params, state) for statement in change.sql]


def test_what_the_server_stores_is_what_it_would_make_of_the_password() -> None:
    # SELECT PASSWORD('password') of a server.
    assert verifier("password") == "*2470C0C06DEE42FD1618BB99005ADCA2EC9D1E19"


def test_an_empty_server_gets_all_of_it_and_the_password_is_in_none() -> None:
    statements = sql(asked(), EMPTY)
    how = f"IDENTIFIED VIA mysql_native_password USING '{verifier(PASSWORD)}'"
    assert statements == [
        "CREATE DATABASE `shop_a` CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;",
        f"CREATE USER 'shop'@'10.0.20.11' {how} REQUIRE SSL WITH MAX_USER_CONNECTIONS 0;",
        # _ would stand for any letter.
        "GRANT SELECT, SHOW VIEW ON `shop\\_a`.* TO 'shop'@'10.0.20.11';",
    ]
    assert PASSWORD not in "".join(statements)


def test_what_is_in_place_changes_nothing() -> None:
    assert plan(asked(), there()) == []


@pytest.mark.parametrize(
    ("key", "value"), [("verifier", "*0"), ("tls", ""), ("connections", 5), ("plugin", "ed25519")]
)
def test_an_account_that_differs_is_changed(key: str, value: object) -> None:
    state = there()
    state["accounts"][0][key] = value
    assert [change.actions for change in plan(asked(), state)] == [("changed",)]
    assert sql(asked(), state)[0].startswith("ALTER USER 'shop'@'10.0.20.11' ")


def test_rights_that_nobody_listed_are_taken() -> None:
    state = there()
    state["rights"] += [
        ["'shop'@'10.0.20.11'", "shop\\_a", "DROP"],
        ["'shop'@'10.0.20.11'", "other", "SELECT"],
    ]
    state["global"] = [["'shop'@'10.0.20.11'", "FILE"], ["'root'@'localhost'", "SUPER"]]
    assert sorted(sql(asked(), state)) == [
        "REVOKE DROP ON `shop\\_a`.* FROM 'shop'@'10.0.20.11';",
        "REVOKE FILE ON *.* FROM 'shop'@'10.0.20.11';",
        "REVOKE SELECT ON `other`.* FROM 'shop'@'10.0.20.11';",
    ]


def test_a_caller_that_left_loses_its_account_and_others_keep_theirs() -> None:
    state = there()
    state["accounts"] += [
        {**state["accounts"][0], "host": "10.0.20.12"},
        {**state["accounts"][0], "name": "elsewhere"},
        {**state["accounts"][0], "name": "", "host": "localhost"},
    ]
    assert sql(asked(), state) == ["DROP USER 'shop'@'10.0.20.12';", "DROP USER ''@'localhost';"]


def test_the_packages_test_database_goes_unless_it_is_listed() -> None:
    state = there(databases=["shop_a", "test"])
    assert sql(asked(), state) == ["DROP DATABASE `test`;"]
    listed = {"name": "test", "character_set": "utf8mb4", "collation": "utf8mb4_bin"}
    assert sql(asked(databases=[*asked()["databases"], listed]), state) == []


def test_the_watcher_comes_by_the_socket_and_sees_no_rows() -> None:
    name = "'prometheus'@'localhost'"
    statements = sql(asked(watcher="prometheus"), there())
    assert statements == [
        f"CREATE USER {name} IDENTIFIED VIA unix_socket REQUIRE NONE WITH MAX_USER_CONNECTIONS 3;",
        "GRANT BINLOG MONITOR, PROCESS, SLAVE MONITOR ON *.* TO 'prometheus'@'localhost';",
    ]


def test_health_sees_the_certificate_by_an_account_that_nobody_can_use() -> None:
    how = "IDENTIFIED VIA unix_socket REQUIRE SSL WITH MAX_USER_CONNECTIONS 1"
    assert sql(asked(asked_from=["10.0.30.11"]), there()) == [f"CREATE USER 'health'@'10.0.30.11' {how};"]


def test_a_copy_of_another_host_has_what_health_asks_by_and_what_left_is_gone() -> None:
    known = {"plugin": "unix_socket", "verifier": "", "tls": "ANY", "connections": 1}
    accounts = [{**known, "name": "health", "host": f"10.0.30.{number}"} for number in (11, 12, 13)]
    state = there()
    state["accounts"] += accounts
    assert sql(asked(asked_from=["10.0.30.11", "10.0.30.12"]), state) == ["DROP USER 'health'@'10.0.30.13';"]


@pytest.mark.parametrize(
    ("callers", "expected"),
    [
        (["10.0.0.2/32", "10.0.0.1/32"], ["10.0.0.1", "10.0.0.2"]),
        (["10.0.8.0/22"], ["10.0.8.0/255.255.252.0"]),
        (["fd00::1/128"], ["fd00::1"]),
    ],
)
def test_callers_are_told_as_the_server_matches_them(callers: list[str], expected: list[str]) -> None:
    assert account_hosts(callers) == expected


@pytest.mark.parametrize("caller", ["fd00::/64", "%", "10.0.0.1/8"])
def test_callers_that_it_cannot_match_are_refused(caller: str) -> None:
    with pytest.raises(MariadbError, match="callers has"):
        account_hosts([caller])


@pytest.mark.parametrize(
    ("other", "told"),
    [
        ({"databases": [{"name": "a`b"}]}, "databases has 'a`b'"),
        ({"users": [{"name": "o'hara", "grants": []}]}, "users has"),
        ({"databases": []}, "which databases does not list"),
    ],
)
def test_names_that_would_need_quoting_are_refused(other: dict[str, Any], told: str) -> None:
    with pytest.raises(MariadbError, match=told):
        check(asked(**other))
