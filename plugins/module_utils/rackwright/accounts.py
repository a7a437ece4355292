"""Groups and users: what is missing or differs, and the commands that mend it."""

from __future__ import annotations

import grp
import pwd
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class AccountChange:
    """One account that is not as asked for."""

    name: str
    reasons: tuple[str, ...]
    commands: tuple[tuple[str, ...], ...]


def plan_group(spec: dict[str, Any], gid: int | None) -> AccountChange | None:
    """Say what a group needs.

    Args:
        spec: name, and optionally system and gid.
        gid: Its present number, None when it does not exist.

    Returns:
        The change, or None when the group is as asked for.
    """
    name = str(spec["name"])
    wanted = spec.get("gid")
    if gid is None:
        options = ["--system"] if spec.get("system") else []
        options += ["--gid", str(wanted)] if wanted is not None else []
        return AccountChange(f"group:{name}", ("created",), (("groupadd", *options, name),))
    if wanted is not None and int(wanted) != gid:
        command = ("groupmod", "--gid", str(wanted), name)
        return AccountChange(f"group:{name}", (f"gid {gid} -> {wanted}",), (command,))
    return None


@dataclass(frozen=True)
class Account:
    """A user as the system knows it; `groups` are the supplementary ones."""

    uid: int
    primary_group: str
    home: str
    shell: str
    groups: frozenset[str]


def plan_user(spec: dict[str, Any], present: Account | None) -> AccountChange | None:
    """Say what a user needs; memberships are added, never taken away.

    Args:
        spec: name, and optionally uid, group, groups, home, shell, comment, system, create_home.
        present: The user as it is, None when it does not exist.

    Returns:
        The change, or None when the user is as asked for.
    """
    name = str(spec["name"])
    groups = [str(group) for group in spec.get("groups") or []]
    if present is None:
        return AccountChange(f"user:{name}", ("created",), (("useradd", *_creation(spec, groups), name),))
    options: list[str] = []
    reasons: list[str] = []
    for key, flag, current in (
        ("uid", "--uid", str(present.uid)),
        ("group", "--gid", present.primary_group),
        ("home", "--home", present.home),
        ("shell", "--shell", present.shell),
    ):
        wanted = spec.get(key)
        if wanted is not None and str(wanted) != current:
            options += [flag, str(wanted)]
            reasons.append(f"{key} {current} -> {wanted}")
    missing = [group for group in groups if group not in present.groups and group != present.primary_group]
    if missing:
        options += ["--append", "--groups", ",".join(missing)]
        reasons.append(f"joins {', '.join(missing)}")
    if not options:
        return None
    return AccountChange(f"user:{name}", tuple(reasons), (("usermod", *options, name),))


def _creation(spec: dict[str, Any], groups: list[str]) -> list[str]:
    options = ["--create-home"] if spec.get("create_home") else ["--no-create-home"]
    options += ["--system"] if spec.get("system") else []
    options += ["--gid", str(spec["group"])] if spec.get("group") else ["--user-group"]
    options += ["--groups", ",".join(groups)] if groups else []
    flags = {"uid": "--uid", "home": "--home-dir", "shell": "--shell", "comment": "--comment"}
    for key, flag in flags.items():
        if spec.get(key) is not None:
            options += [flag, str(spec[key])]
    return options


def gid_of(name: str) -> int | None:
    """The number of a group, given by name or number; None when there is no such name."""
    if name.isdigit():
        return int(name)
    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        return None


def uid_of(name: str) -> int | None:
    """The number of a user, given by name or number; None when there is no such name."""
    if name.isdigit():
        return int(name)
    try:
        return pwd.getpwnam(name).pw_uid
    except KeyError:
        return None


def account_of(name: str) -> Account | None:
    """A user as the system knows it, None when there is none."""
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        return None
    try:
        primary = grp.getgrgid(entry.pw_gid).gr_name
    except KeyError:
        primary = str(entry.pw_gid)
    member_of = frozenset(group.gr_name for group in grp.getgrall() if name in group.gr_mem)
    return Account(entry.pw_uid, primary, entry.pw_dir, entry.pw_shell, member_of)
