"""What is wrong with the settings of the role base, before any host is touched."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

ZONES = Path("/usr/share/zoneinfo")
ZONE = re.compile(r"[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+)*")
ACCOUNT = re.compile(r"[a-z_][a-z0-9_-]{0,31}")
PUBLIC_KEY = re.compile(r"(ssh|ecdsa|sk)-[a-z0-9@.-]+ [A-Za-z0-9+/]+={0,3}( [^\n]*)?")


def _zone_problems(zone: str) -> list[str]:
    # A control node without the list of zones can only judge the form.
    known = not ZONES.is_dir() or (ZONES / zone).is_file()
    if ZONE.fullmatch(zone) and known:
        return []
    hint = "it must be a zone of the tz database; write e.g. Asia/Shanghai or Etc/UTC"
    return [f"base_timezone is {zone!r}: {hint}"]


def _connection_problems(settings: Mapping[str, Any]) -> list[str]:
    user, problems = str(settings["user"]), []
    if not settings["over_ssh"]:
        return []
    if user == "root" and settings["permit_root_login"] == "no":
        problems.append(
            "ansible_user is 'root' and base_sshd_permit_root_login is 'no': the next connection would be "
            "refused; connect as an ordinary user with sudo, or write base_sshd_permit_root_login: "
            "prohibit-password"
        )
    if settings["password"]:
        problems.append(
            "ansible_password is set and sshd will take no passwords: the next connection would be "
            "refused; give ansible_user a key (authorized_keys) and remove ansible_password"
        )
    if settings["allow_users"] and not user:
        problems.append(
            f"base_sshd_allow_users is {settings['allow_users']} and ansible_user is not set: the next "
            "connection would be refused; write ansible_user into the inventory"
        )
    return problems


def _account_problems(user: Mapping[str, Any]) -> list[str]:
    name, keys, problems = str(user["name"]), user.get("authorized_keys") or [], []
    if not ACCOUNT.fullmatch(name) or name == "root":
        problems.append(
            f"base_admin_users has {name!r}: it must be an ordinary account of small letters, digits, _ "
            "and -; write e.g. alice"
        )
    if user.get("state", "present") == "present" and not keys:
        problems.append(
            f"base_admin_users: {name} has no authorized_keys, so nobody could log in; write the line of an "
            "id_*.pub file, or state: absent"
        )
    problems.extend(
        f"base_admin_users: {name} has the key {key!r}: it must be one line of an id_*.pub file; write e.g. "
        "ssh-ed25519 AAAA... alice@example"
        for key in keys
        if not PUBLIC_KEY.fullmatch(str(key))
    )
    return problems


def base_problems(settings: Mapping[str, Any]) -> list[str]:
    """Everything that is wrong, as sentences with variable, value, rule and remedy.

    Args:
        settings: timezone, admin_users, allow_users, permit_root_login as the role's variables of these
            names; over_ssh, user and password (whether there is one) of the connection in use.

    Returns:
        An empty list when the settings can be applied and keep nobody out.
    """
    problems = _zone_problems(str(settings["timezone"])) + _connection_problems(settings)
    for user in settings["admin_users"]:
        problems.extend(_account_problems(user))
    return problems


class FilterModule:
    """Ansible's entry point."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """The filters by the name that templates use."""
        return {"base_problems": base_problems}
