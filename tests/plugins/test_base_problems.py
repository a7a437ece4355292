"""Settings of the role base that are refused on the control node."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ0aX alice@example"
GOOD: dict[str, Any] = {
    "timezone": "Etc/UTC",
    "admin_users": [{"name": "alice", "authorized_keys": [KEY], "sudo": True}],
    "allow_users": [],
    "permit_root_login": "no",
    "over_ssh": True,
    "user": "deploy",
    "password": False,
}


@pytest.fixture(scope="module")
def problems(load: Callable[[str, str], ModuleType]) -> Callable[..., list[str]]:
    def found(**change: Any) -> list[str]:  # noqa: ANN401 - any setting
        result: list[str] = load("filter", "base").base_problems({**GOOD, **change})
        return result

    return found


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"user": "root", "permit_root_login": "prohibit-password"},
        # By another way than SSH nobody is shut out.
        {"user": "root", "over_ssh": False},
        {"allow_users": ["alice"]},
        {"admin_users": [{"name": "bob", "state": "absent"}]},
    ],
)
def test_what_works_is_taken(problems: Callable[..., list[str]], change: dict[str, Any]) -> None:
    assert problems(**change) == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"timezone": "Asia/Shanghia"}, "base_timezone is 'Asia/Shanghia'"),
        ({"timezone": "../../etc/passwd"}, "tz database"),
        ({"user": "root"}, "ansible_user is 'root'"),
        ({"password": True}, "remove ansible_password"),
        ({"allow_users": ["alice"], "user": ""}, "write ansible_user"),
        ({"admin_users": [{"name": "root", "authorized_keys": [KEY]}]}, "has 'root'"),
        ({"admin_users": [{"name": "Alice", "authorized_keys": [KEY]}]}, "has 'Alice'"),
        ({"admin_users": [{"name": "alice"}]}, "alice has no authorized_keys"),
        ({"admin_users": [{"name": "alice", "authorized_keys": ["id.pub"]}]}, "the key 'id.pub'"),
        ({"admin_users": [{"name": "alice", "authorized_keys": [f"{KEY}\n{KEY}"]}]}, "one line"),
    ],
)
def test_what_cannot_work_is_named_with_its_remedy(
    problems: Callable[..., list[str]], change: dict[str, Any], words: str
) -> None:
    found = problems(**change)
    assert len(found) == 1
    assert words in found[0]
    assert "write" in found[0] or "remove" in found[0]
