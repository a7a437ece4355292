"""MongoDB on the target: what its users must be, and the commands that make them so, by way of its shell."""

from __future__ import annotations

import base64
import hashlib
import hmac
import ipaddress
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible.module_utils.rackwright.store_users import NAME_RULE, is_name

OWN_DATABASES = frozenset({"admin", "config", "local"})
# What each of the rights stands for: built-in roles, on one database and on no other.
RIGHTS: Mapping[str, tuple[str, ...]] = {
    "read": ("read",),
    "write": ("readWrite",),
    "own": ("readWrite", "dbAdmin"),
}
# Of the host's own account: users, copies, and a new certificate; of the rows what a copy needs.
ADMIN_ROLES = ("backup", "clusterMonitor", "hostManager", "restore", "userAdminAnyDatabase")
MECHANISM = "SCRAM-SHA-256"
HERE = "127.0.0.1"
# Numbers of errors: ours for a server that does not answer, and the server's for a wrong password.
AWAY, REFUSED = -1, 18
_MARK, _END = "@@rackwright", "rackwright@@"
# One line, so that the shell takes it as one statement. It stops at the first command that fails; what a
# command was told never comes back, only the server's own words.
_SCRIPT = (
    "{ const asked = %s; const told = {answers: []}; try {"
    " if (asked.user) { db.getSiblingDB('admin').auth(asked.user, asked.password); }"
    " for (const [name, command] of asked.commands)"
    " { told.answers.push(db.getSiblingDB(name).runCommand(command)); } }"
    " catch (error) { told.failed = {code: error.code || 0, name: error.codeName || error.name,"
    " message: String(error.message)}; }"
    " print('%s' + EJSON.stringify(told) + '%s'); }\n"
)
Command = tuple[str, dict[str, Any]]


class MongodbError(Exception):
    """What is wrong with the input, or what the server said; never holds a password."""

    def __init__(self, message: str, code: int = 0) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class Change:
    """One user that differs: its name, what is done to it in words, and the command."""

    name: str
    actions: tuple[str, ...]
    command: Command


def script(commands: Sequence[Command], user: str = "", password: str = "") -> str:
    """Return what the shell is given on its standard input."""
    asked = {"user": user, "password": password, "commands": commands}
    # ASCII alone, for some characters end a line of JavaScript and none of JSON.
    return _SCRIPT % (json.dumps(asked, ensure_ascii=True), _MARK, _END)


def answers(out: str, error: str = "") -> list[dict[str, Any]]:
    """Return what the commands answered, from what the shell printed.

    Raises:
        MongodbError: A command failed, or the shell never came to them.
    """
    found = re.search(re.escape(_MARK) + r"(\{.*\})" + re.escape(_END), out)
    if found is None:
        words = [line.strip() for line in f"{out}\n{error}".splitlines() if line.strip()]
        raise MongodbError(" | ".join(words[-3:]) or "its shell says nothing", AWAY)
    told: dict[str, Any] = json.loads(found.group(1))
    if failed := told.get("failed"):
        raise MongodbError(f"{failed['name']}: {failed['message']}", int(failed["code"]))
    replies: list[dict[str, Any]] = told["answers"]
    return replies


def check(users: Sequence[Mapping[str, Any]]) -> None:
    """Look at the names.

    Raises:
        MongodbError: One is none of ours, or a right is in a database of the server's own.
    """
    for user in users:
        databases = [grant["database"] for grant in user["grants"]]
        for name in (user["name"], *databases):
            if not is_name(name):
                raise MongodbError(f"users has {name!r}: {NAME_RULE}")
        if own := sorted(OWN_DATABASES.intersection(databases)):
            raise MongodbError(f"the user {user['name']} has rights in {own[0]}, which is the server's own")


def matches(password: str, credentials: Mapping[str, Any]) -> bool:
    """Tell whether what the server keeps for a user (RFC 5802) is of this password, in ASCII."""
    kept = credentials.get(MECHANISM)
    if kept is None or set(credentials) != {MECHANISM}:
        return False
    salt, rounds = base64.b64decode(kept["salt"]), int(kept["iterationCount"])
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, rounds)
    client_key = hmac.digest(salted, b"Client Key", "sha256")
    return hmac.compare_digest(hashlib.sha256(client_key).digest(), base64.b64decode(kept["storedKey"]))


def admin_command(name: str, password: str, verb: str = "createUser") -> Command:
    """Return the command that makes the host's own account, which is for this host alone."""
    roles = [{"role": role, "db": "admin"} for role in ADMIN_ROLES]
    return ("admin", _user(verb, name, roles, [HERE], password))


def look_command(names: Sequence[str]) -> Command:
    """Return the command that asks for users, with what is kept of their passwords."""
    asked = [{"user": name, "db": "admin"} for name in names]
    return (
        "admin",
        {"usersInfo": asked, "showCredentials": True, "showAuthenticationRestrictions": True},
    )


def plan(users: Sequence[Mapping[str, Any]], callers: Sequence[str], there: Any) -> list[Change]:  # noqa: ANN401
    """Return what has to change, so that users are as listed; those of other names are left alone.

    Args:
        users: Of the module.
        callers: Networks that they may come from.
        there: `users` of what `look_command` answered.
    """
    known = {entry["user"]: entry for entry in there}
    changes = []
    for user in users:
        roles = sorted(
            (role, grant["database"]) for grant in user["grants"] for role in RIGHTS[grant["rights"]]
        )
        wanted = [{"role": role, "db": database} for role, database in dict.fromkeys(roles)]
        # Nobody calls: then nobody may, rather than everybody.
        sources = _ranges(callers) or _ranges([HERE])
        found = known.get(user["name"])
        if found is None:
            command = _user("createUser", user["name"], wanted, sources, user["password"])
            changes.append(Change(user["name"], ("created",), ("admin", command)))
            continue
        actions, password = [], ""
        if not matches(user["password"], found.get("credentials", {})):
            actions.append("given its password")
            password = user["password"]
        if sorted((entry["role"], entry["db"]) for entry in found["roles"]) != sorted(set(roles)):
            actions.append("given its rights")
        if _sources(found) != sources:
            actions.append("given its callers")
        if actions:
            command = _user("updateUser", user["name"], wanted, sources, password)
            changes.append(Change(user["name"], tuple(actions), ("admin", command)))
    return changes


def _user(
    verb: str, name: str, roles: list[dict[str, str]], sources: list[str], password: str
) -> dict[str, Any]:
    command: dict[str, Any] = {verb: name, "roles": roles}
    command["authenticationRestrictions"] = [{"clientSource": sources}]
    if password:
        command |= {"pwd": password, "mechanisms": [MECHANISM]}
    return command


def _sources(found: Mapping[str, Any]) -> list[str]:
    """Return where a user may come from; the server nests what it was told one deeper."""
    flat: list[str] = []
    waiting: list[Any] = list(found.get("authenticationRestrictions", []))
    while waiting:
        entry = waiting.pop()
        if isinstance(entry, list):
            waiting += entry
        else:
            flat += entry.get("clientSource", [])
    return _ranges(flat)


def _ranges(networks: Iterable[str]) -> list[str]:
    """Return networks as the server tells them, an address alone with its length too."""
    return sorted({str(ipaddress.ip_network(network)) for network in networks})
