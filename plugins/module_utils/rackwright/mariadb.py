"""MariaDB on the target: what accounts and databases must be, and the SQL that makes them so."""

from __future__ import annotations

import hashlib
import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ansible.module_utils.rackwright.store_users import NAME_RULE, is_name

# What each of the rights stands for, on one database. `own` is what a program needs that makes its tables
# itself; nothing here reaches another database, a file of the host or another account.
READ = frozenset({"SELECT", "SHOW VIEW"})
WRITE = READ | {"INSERT", "UPDATE", "DELETE", "EXECUTE"}
OWN = WRITE | {
    *("CREATE", "DROP", "REFERENCES", "INDEX", "ALTER", "TRIGGER", "LOCK TABLES", "CREATE TEMPORARY TABLES"),
    *("CREATE VIEW", "CREATE ROUTINE", "ALTER ROUTINE"),
}
RIGHTS: Mapping[str, frozenset[str]] = {"read": READ, "write": WRITE, "own": OWN}
# Of whoever watches the server: what it does, and nothing of what it holds.
WATCHING = frozenset({"PROCESS", "BINLOG MONITOR", "SLAVE MONITOR"})
# Stands for the site's hosts with a server, whose health checks look at the certificate where callers come
# in. Each host has all of these accounts, so that a copy of one host's data serves on another.
HEALTH = "health"
_PASSWORD, _SOCKET = "mysql_native_password", "unix_socket"
QUESTION = """
SET SESSION group_concat_max_len = 16777216;
SELECT JSON_OBJECT(
 'version', VERSION(),
 'databases', (SELECT COALESCE(JSON_ARRAYAGG(SCHEMA_NAME), JSON_ARRAY()) FROM information_schema.SCHEMATA),
 'accounts', (SELECT COALESCE(JSON_ARRAYAGG(JSON_OBJECT('name', User, 'host', Host, 'plugin', plugin,
   'verifier', authentication_string, 'tls', ssl_type, 'connections', max_user_connections)), JSON_ARRAY())
   FROM mysql.user WHERE is_role = 'N'),
 'global', (SELECT COALESCE(JSON_ARRAYAGG(JSON_ARRAY(GRANTEE, PRIVILEGE_TYPE)), JSON_ARRAY())
   FROM information_schema.USER_PRIVILEGES WHERE PRIVILEGE_TYPE <> 'USAGE'),
 'rights', (SELECT COALESCE(JSON_ARRAYAGG(JSON_ARRAY(GRANTEE, TABLE_SCHEMA, PRIVILEGE_TYPE)), JSON_ARRAY())
   FROM information_schema.SCHEMA_PRIVILEGES WHERE PRIVILEGE_TYPE <> 'USAGE'));
"""


class MariadbError(Exception):
    """What is wrong with the input, or what the server said; never holds what was sent."""


@dataclass(frozen=True)
class Change:
    """One object that differs: `kind`, `name`, what is done to it in words, and the SQL."""

    kind: str
    name: str
    actions: tuple[str, ...]
    sql: tuple[str, ...]


def verifier(password: str) -> str:
    """Return what the server stores for a password: a hash of its hash."""
    inner = hashlib.sha1(password.encode()).digest()  # noqa: S324 - the protocol's own
    return "*" + hashlib.sha1(inner).hexdigest().upper()  # noqa: S324


def account_hosts(callers: Iterable[str]) -> list[str]:
    """Return networks as the server matches clients: an address, or an address with its mask.

    Raises:
        MariadbError: One is no network, or one of IPv6 with more addresses, which the server cannot match.
    """
    found = []
    for caller in callers:
        try:
            network = ipaddress.ip_network(caller)
        except ValueError as error:
            raise MariadbError(f"callers has {caller!r}: write a network, such as 10.0.20.11/32") from error
        if network.num_addresses == 1:
            found.append(str(network.network_address))
        elif network.version == 4:  # noqa: PLR2004
            found.append(f"{network.network_address}/{network.netmask}")
        else:
            raise MariadbError(f"callers has {caller!r}: of IPv6 the server knows single addresses alone")
    return sorted(set(found))


def check(params: Mapping[str, Any]) -> None:
    """Look at the names.

    Raises:
        MariadbError: One needs quoting, or a right is for a database that is not listed.
    """
    for kind in ("databases", "users"):
        for entry in params[kind]:
            if not is_name(entry["name"]):
                raise MariadbError(f"{kind} has {entry['name']!r}: {NAME_RULE}")
    known = {entry["name"] for entry in params["databases"]}
    for user in params["users"]:
        for grant in user["grants"]:
            if grant["database"] not in known:
                where = f"{grant['database']!r}, which databases does not list"
                raise MariadbError(f"the user {user['name']} has rights in {where}")


def plan(params: Mapping[str, Any], state: Mapping[str, Any]) -> list[Change]:
    """Return what has to change, so that databases, accounts and rights are as listed.

    Databases and accounts of other names are left alone, but for anonymous accounts and the package's `test`.

    Args:
        params: `databases`, `users`, `callers`, `watcher` and `asked_from` of the module.
        state: What QUESTION answers.
    """
    changes = [
        Change("database", entry["name"], ("created",), (_create(entry),))
        for entry in params["databases"]
        if entry["name"] not in state["databases"]
    ]
    there = {(entry["name"], entry["host"]): entry for entry in state["accounts"]}
    hosts = account_hosts(params["callers"])
    for user in params["users"]:
        wanted = {
            "plugin": _PASSWORD,
            "verifier": verifier(user["password"]),
            "tls": "ANY",
            "connections": user["connection_limit"],
        }
        rights = {_pattern(grant["database"]): RIGHTS[grant["rights"]] for grant in user["grants"]}
        for host in hosts:
            account = (user["name"], host)
            changes += _account(account, there.get(account), wanted, frozenset(), rights, state)
        changes += [
            _dropped(account) for account in there if account[0] == user["name"] and account[1] not in hosts
        ]
    if params["watcher"]:
        account = (params["watcher"], "localhost")
        wanted = {"plugin": _SOCKET, "verifier": "", "tls": "", "connections": 3}
        changes += _account(account, there.get(account), wanted, WATCHING, {}, state)
    asking = account_hosts(params["asked_from"])
    for host in asking:
        # To a host that no account is for the server says nothing, not even by TLS. Nobody gets in by this
        # one: it asks for the socket, and over the network there is none.
        wanted = {"plugin": _SOCKET, "verifier": "", "tls": "ANY", "connections": 1}
        changes += _account((HEALTH, host), there.get((HEALTH, host)), wanted, frozenset(), {}, state)
    changes += [_dropped(account) for account in there if account[0] == HEALTH and account[1] not in asking]
    changes += [_dropped(account) for account in there if not account[0]]
    if "test" in state["databases"] and "test" not in {entry["name"] for entry in params["databases"]}:
        changes.append(Change("database", "test", ("removed",), ("DROP DATABASE `test`;",)))
    return changes


def _create(entry: Mapping[str, Any]) -> str:
    how = f"CHARACTER SET {entry['character_set']} COLLATE {entry['collation']}"
    return f"CREATE DATABASE `{entry['name']}` {how};"


def _account(
    account: tuple[str, str],
    found: Mapping[str, Any] | None,
    wanted: Mapping[str, Any],
    everywhere: frozenset[str],
    rights: Mapping[str, frozenset[str]],
    state: Mapping[str, Any],
) -> list[Change]:
    name, grantee = _quoted(account), f"'{account[0]}'@'{account[1]}'"
    actions, sql = [], []
    if found is None or any(str(found[key]) != str(value) for key, value in wanted.items()):
        actions.append("created" if found is None else "changed")
        how = f"IDENTIFIED VIA {wanted['plugin']}"
        how += f" USING '{wanted['verifier']}'" if wanted["verifier"] else ""
        tls = "REQUIRE SSL" if wanted["tls"] else "REQUIRE NONE"
        limit = f"WITH MAX_USER_CONNECTIONS {wanted['connections']}"
        sql.append(f"{'CREATE' if found is None else 'ALTER'} USER {name} {how} {tls} {limit};")
    held_everywhere = {right for who, right in state["global"] if who == grantee}
    held: dict[str, set[str]] = {}
    for who, database, right in state["rights"]:
        if who == grantee:
            held.setdefault(database, set()).add(right)
    places = [("*", held_everywhere, everywhere)]
    places += [
        (f"`{database}`", held.get(database, set()), rights.get(database, frozenset()))
        for database in sorted({*held, *rights})
    ]
    for place, has, needs in places:
        if needs - has:
            actions.append(f"given rights in {place}")
            sql.append(f"GRANT {', '.join(sorted(needs - has))} ON {place}.* TO {name};")
        if has - needs:
            actions.append(f"rights taken in {place}")
            sql.append(f"REVOKE {', '.join(sorted(has - needs))} ON {place}.* FROM {name};")
    return [Change("account", "@".join(account), tuple(actions), tuple(sql))] if sql else []


def _dropped(account: tuple[str, str]) -> Change:
    return Change("account", "@".join(account), ("removed",), (f"DROP USER {_quoted(account)};",))


def _quoted(account: tuple[str, str]) -> str:
    name, host = (part.replace("\\", "\\\\").replace("'", "''") for part in account)
    return f"'{name}'@'{host}'"


def _pattern(database: str) -> str:
    """Return a database's name where the server takes patterns: _ stands for any letter there."""
    return database.replace("_", "\\_")
