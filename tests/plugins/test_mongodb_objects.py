"""Users and rights of MongoDB: what is planned for what is there, and what its shell is told."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any

import pytest
from ansible.module_utils.rackwright.mongodb import (
    AWAY,
    RIGHTS,
    MongodbError,
    admin_command,
    answers,
    check,
    matches,
    plan,
    script,
)

PASSWORD = "a-long-random-value"
SHOP = {"name": "shop", "password": PASSWORD, "grants": [{"database": "shop_a", "rights": "own"}]}
CALLERS = ["10.0.20.11/32"]


def kept(password: str, salt: bytes = b"salt of the server's own making") -> dict[str, Any]:
    """What a server keeps of a password (RFC 5802)."""
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, 15000)
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    entry = {"iterationCount": 15000, "salt": salt, "storedKey": stored}
    told = {
        key: base64.b64encode(value).decode() if isinstance(value, bytes) else value
        for key, value in entry.items()
    }
    return {"SCRAM-SHA-256": told}


def there(**other: object) -> dict[str, Any]:
    """What the server tells of the user once all of it is in place."""
    return {
        "user": "shop",
        "db": "admin",
        "roles": [{"role": "readWrite", "db": "shop_a"}, {"role": "dbAdmin", "db": "shop_a"}],
        "authenticationRestrictions": [{"clientSource": ["10.0.20.11/32"]}],
        "credentials": kept(PASSWORD),
        **other,
    }


def test_what_the_server_keeps_is_of_the_password_or_of_another() -> None:
    # The example of RFC 7677.
    salt = "W22ZaJ0SNY7soEsUEjb6gQ=="
    salted = hashlib.pbkdf2_hmac("sha256", b"pencil", base64.b64decode(salt), 4096)
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    entry = {"iterationCount": 4096, "salt": salt, "storedKey": base64.b64encode(stored).decode()}
    assert matches("pencil", {"SCRAM-SHA-256": entry})
    assert not matches("pencils", {"SCRAM-SHA-256": entry})
    # One that lets the user in by an older mechanism too is made anew.
    assert not matches("pencil", {"SCRAM-SHA-256": entry, "SCRAM-SHA-1": entry})
    assert not matches("pencil", {})


def test_a_new_user_may_come_from_the_callers_alone_and_do_what_is_granted() -> None:
    (change,) = plan([SHOP], CALLERS, [])
    assert change.actions == ("created",)
    assert change.command == (
        "admin",
        {
            "createUser": "shop",
            "roles": [{"role": "dbAdmin", "db": "shop_a"}, {"role": "readWrite", "db": "shop_a"}],
            "authenticationRestrictions": [{"clientSource": CALLERS}],
            "pwd": PASSWORD,
            "mechanisms": ["SCRAM-SHA-256"],
        },
    )


def test_where_nobody_calls_nobody_may() -> None:
    (change,) = plan([SHOP], [], [])
    assert change.command[1]["authenticationRestrictions"] == [{"clientSource": ["127.0.0.1/32"]}]


def test_what_is_in_place_changes_nothing_in_whatever_form_it_is_told() -> None:
    assert plan([SHOP], CALLERS, [there()]) == []
    nested = there(authenticationRestrictions=[[{"clientSource": ["10.0.20.11"]}]])
    assert plan([SHOP], CALLERS, [nested]) == []


@pytest.mark.parametrize(
    ("other", "action"),
    [
        ({"credentials": kept("another-long-random-value")}, "given its password"),
        ({"roles": [{"role": "root", "db": "admin"}]}, "given its rights"),
        ({"authenticationRestrictions": []}, "given its callers"),
    ],
)
def test_what_differs_is_changed_and_a_password_is_sent_for_its_own_sake_alone(
    other: dict[str, Any], action: str
) -> None:
    (change,) = plan([SHOP], CALLERS, [there(**other)])
    assert change.actions == (action,)
    assert change.command[1]["updateUser"] == "shop"
    assert ("pwd" in change.command[1]) == (action == "given its password")
    assert PASSWORD not in " ".join(change.actions)


def test_rights_reach_no_other_database() -> None:
    for rights in RIGHTS:
        user = {**SHOP, "grants": [{"database": "shop_a", "rights": rights}]}
        (change,) = plan([user], CALLERS, [])
        assert {entry["db"] for entry in change.command[1]["roles"]} == {"shop_a"}
        assert not any("Any" in entry["role"] for entry in change.command[1]["roles"])


def test_the_hosts_own_account_may_come_from_the_host_alone() -> None:
    database, command = admin_command("rackwright", PASSWORD)
    assert database == "admin"
    assert command["authenticationRestrictions"] == [{"clientSource": ["127.0.0.1"]}]
    assert "root" not in [entry["role"] for entry in command["roles"]]


@pytest.mark.parametrize(
    ("users", "told"),
    [
        ([{**SHOP, "name": "Shop"}], "small letters"),
        ([{**SHOP, "grants": [{"database": "a.b", "rights": "read"}]}], "small letters"),
        ([{**SHOP, "grants": [{"database": "admin", "rights": "read"}]}], "the server's own"),
    ],
)
def test_names_that_are_none_are_refused(users: list[dict[str, Any]], told: str) -> None:
    with pytest.raises(MongodbError, match=told):
        check(users)


def test_the_shell_gets_one_line_whatever_is_in_a_value() -> None:
    hostile = "a'\"\\\n\u2028`${1}"
    text = script([("admin", {"ping": hostile})], "rackwright", hostile)
    assert text.count("\n") == 1
    assert text.isascii()
    told = text.split("const asked = ", 1)[1].split("; const told", 1)[0]
    assert json.loads(told)["password"] == hostile


def test_what_the_shell_prints_around_the_answers_does_not_matter() -> None:
    line = '@@rackwright{"answers":[{"ok":1}]}rackwright@@'
    assert answers(f"test> {line}\n\ntest> ") == [{"ok": 1}]
    failed = '@@rackwright{"answers":[],"failed":{"code":18,"name":"AuthenticationFailed","message":"no"}}'
    with pytest.raises(MongodbError, match="AuthenticationFailed: no") as caught:
        answers(f"test> {failed}rackwright@@")
    assert caught.value.code == 18
    with pytest.raises(MongodbError, match="ECONNREFUSED") as caught:
        answers("", "MongoNetworkError: connect ECONNREFUSED 127.0.0.1:27017\n")
    assert caught.value.code == AWAY
