"""Groups and users: which command makes them what they ought to be."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.module_utils.rackwright import accounts

GROUP_TABLE = [
    ({"name": "g"}, None, (("groupadd", "g"),)),
    ({"name": "g", "system": True, "gid": 7}, None, (("groupadd", "--system", "--gid", "7", "g"),)),
    ({"name": "g", "gid": 7}, 7, ()),
    ({"name": "g"}, 7, ()),
    ({"name": "g", "gid": 8}, 7, (("groupmod", "--gid", "8", "g"),)),
]


@pytest.mark.parametrize(("spec", "gid", "commands"), GROUP_TABLE)
def test_groups(spec: dict[str, Any], gid: int | None, commands: tuple[tuple[str, ...], ...]) -> None:
    change = accounts.plan_group(spec, gid)
    assert (change.commands if change else ()) == commands


PRESENT = accounts.Account(500, "main", "/home/u", "/bin/sh", frozenset({"extra"}))
USER_TABLE = [
    ({"name": "u", "groups": ["extra", "main"], "shell": "/bin/sh"}, PRESENT, []),
    ({"name": "u", "create_home": True, "system": True}, PRESENT, []),
    ({"name": "u", "groups": ["new"]}, PRESENT, ["usermod", "--append", "--groups", "new", "u"]),
    ({"name": "u", "home": "/srv/u", "uid": 500}, PRESENT, ["usermod", "--home", "/srv/u", "u"]),
    (
        {"name": "u", "group": "g", "system": True},
        None,
        ["useradd", "--no-create-home", "--system", "--gid", "g", "u"],
    ),
    ({"name": "u", "create_home": True}, None, ["useradd", "--create-home", "--user-group", "u"]),
]


@pytest.mark.parametrize(("spec", "present", "command"), USER_TABLE)
def test_users(spec: dict[str, Any], present: accounts.Account | None, command: list[str]) -> None:
    change = accounts.plan_user(spec, present)
    assert [part for argv in (change.commands if change else ()) for part in argv] == command
