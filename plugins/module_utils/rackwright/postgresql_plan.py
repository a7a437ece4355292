"""What a cluster's roles, databases and extensions need: from what is asked for and what there is, to SQL."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ansible.module_utils.rackwright.postgresql import (
    PostgresqlError,
    identifier,
    is_name,
    literal,
    new_verifier,
    same_password,
)


@dataclass(frozen=True)
class Change:
    """One object to change: what a person reads, and the SQL for the database it is sent to."""

    kind: str
    name: str
    actions: tuple[str, ...]
    sql: tuple[str, ...]
    database: str = "postgres"


def check_names(params: dict[str, Any]) -> None:
    """Refuse names and passwords that PostgreSQL's tools read in two ways."""
    for kind in ("roles", "databases"):
        for item in params[kind]:
            others = (*item.get("member_of", ()), *item.get("users", ()))
            for name in (item["name"], item.get("owner") or item["name"], *others):
                if not is_name(name):
                    raise PostgresqlError(
                        f"postgresql_{kind}: the name {name!r} must be lower case letters, digits, _ and -, "
                        "start with a letter or _, and have 63 characters at most"
                    )
    for role in params["roles"]:
        if role["name"] == "postgres" or role["name"].startswith("pg_"):
            raise PostgresqlError(f"postgresql_roles: {role['name']} is PostgreSQL's own; name another")
        if not (role["password"].isascii() and role["password"].isprintable() and role["password"]):
            raise PostgresqlError(f"postgresql_roles: the password of {role['name']} must be printable ASCII")


def state_query(params: dict[str, Any]) -> str:
    """Return the query for everything that is known without entering a database.

    A setting that left the files and waits for a restart is an error of no file: `pending` has it.
    """
    roles = ", ".join(literal(role["name"]) for role in params["roles"]) or "NULL"
    databases = ", ".join(literal(database["name"]) for database in params["databases"]) or "NULL"
    return f"""
SELECT json_build_object(
  'version', current_setting('server_version_num')::int,
  'loaded', extract(epoch FROM pg_conf_load_time()),
  'pending', (SELECT coalesce(json_agg(name ORDER BY name), '[]') FROM pg_settings WHERE pending_restart),
  'errors', (SELECT coalesce(json_agg(e), '[]') FROM (
      SELECT 'pg_hba.conf line ' || line_number || ': ' || error AS e FROM pg_hba_file_rules
        WHERE error IS NOT NULL
      UNION ALL SELECT concat_ws(' ', f.sourcefile, f.sourceline, f.name, f.error) FROM pg_file_settings f
        LEFT JOIN pg_settings s USING (name)
        WHERE f.error IS NOT NULL AND f.sourcefile IS NOT NULL
          AND NOT coalesce(s.pending_restart, false)) AS errors),
  'roles', (SELECT coalesce(json_object_agg(rolname, json_build_object(
      'password', rolpassword, 'limit', rolconnlimit, 'login', rolcanlogin, 'powers', array_remove(ARRAY[
        CASE WHEN rolsuper THEN 'SUPERUSER' END, CASE WHEN rolcreatedb THEN 'CREATEDB' END,
        CASE WHEN rolcreaterole THEN 'CREATEROLE' END, CASE WHEN rolreplication THEN 'REPLICATION' END,
        CASE WHEN rolbypassrls THEN 'BYPASSRLS' END], NULL), 'member_of', (
        SELECT coalesce(json_agg(g.rolname ORDER BY g.rolname), '[]') FROM pg_auth_members m
          JOIN pg_authid g ON g.oid = m.roleid WHERE m.member = pg_authid.oid))), '{{}}')
    FROM pg_authid WHERE rolname IN ({roles})),
  'databases', (SELECT coalesce(json_object_agg(datname, json_build_object(
      'owner', pg_get_userbyid(datdba),
      'public', has_database_privilege('public', oid, 'CONNECT')
        OR has_database_privilege('public', oid, 'TEMPORARY'))), '{{}}')
    FROM pg_database WHERE datname IN ({databases})));
"""  # noqa: S608 - the names are checked and quoted


EXTENSIONS = "SELECT coalesce(json_agg(extname), '[]') FROM pg_extension;"
# Of one database, from within it: its extensions, and the roles that may make things in it.
INSIDE = """
SELECT json_build_object(
  'extensions', (SELECT coalesce(json_agg(extname), '[]') FROM pg_extension),
  'users', (SELECT coalesce(json_agg(r.rolname), '[]') FROM pg_roles r, pg_database d, pg_namespace n
    WHERE d.datname = current_database() AND n.nspname = 'public' AND r.rolcanlogin
      AND has_database_privilege(r.oid, d.oid, 'CONNECT')
      AND has_database_privilege(r.oid, d.oid, 'TEMPORARY')
      AND has_schema_privilege(r.oid, n.oid, 'USAGE') AND has_schema_privilege(r.oid, n.oid, 'CREATE')));
"""


def plan_role(wanted: dict[str, Any], present: dict[str, Any] | None) -> Change | None:
    """Say what a role needs; None when it is as asked for."""
    name, limit = wanted["name"], wanted["connection_limit"]
    who = identifier(name)
    if present is None:
        password = literal(new_verifier(wanted["password"]))
        sql = f"CREATE ROLE {who} LOGIN CONNECTION LIMIT {int(limit)} PASSWORD {password};"
        return Change("role", name, ("created",), (sql, *_grants(who, wanted["member_of"])))
    actions: list[str] = []
    sql_list: list[str] = []
    if not same_password(wanted["password"], present["password"]):
        actions.append("password changed")
        sql_list.append(f"ALTER ROLE {who} PASSWORD {literal(new_verifier(wanted['password']))};")
    if present["limit"] != limit:
        actions.append(f"connection_limit {present['limit']} -> {limit}")
        sql_list.append(f"ALTER ROLE {who} CONNECTION LIMIT {int(limit)};")
    missing = sorted(set(wanted["member_of"]) - set(present["member_of"]))
    surplus = sorted(set(present["member_of"]) - set(wanted["member_of"]))
    actions += [f"granted {group}" for group in missing] + [f"revoked {group}" for group in surplus]
    sql_list += _grants(who, missing)
    sql_list += [f"REVOKE {identifier(group)} FROM {who};" for group in surplus]
    # Nobody of the site's has one: what a service may, it may by its databases and groups.
    actions += [f"{power} taken away" for power in present["powers"]]
    sql_list += [f"ALTER ROLE {who} NO{power};" for power in present["powers"]]
    if not present["login"]:
        actions.append("login allowed")
        sql_list.append(f"ALTER ROLE {who} LOGIN;")
    return Change("role", name, tuple(actions), tuple(sql_list)) if actions else None


def _grants(who: str, groups: list[str]) -> list[str]:
    return [f"GRANT {identifier(group)} TO {who};" for group in groups]


def plan_database(wanted: dict[str, Any], present: dict[str, Any] | None) -> Change | None:
    """Say what a database needs, its extensions aside; None when it is as asked for."""
    name, owner = wanted["name"], wanted["owner"]
    revoke = f"REVOKE ALL ON DATABASE {identifier(name)} FROM PUBLIC;"
    if present is None:
        create = f"CREATE DATABASE {identifier(name)} OWNER {identifier(owner)} TEMPLATE template0;"
        return Change("database", name, ("created",), (create, revoke))
    actions: list[str] = []
    sql: list[str] = []
    if present["owner"] != owner:
        actions.append(f"owner {present['owner']} -> {owner}")
        sql.append(f"ALTER DATABASE {identifier(name)} OWNER TO {identifier(owner)};")
    if present["public"]:
        actions.append("public revoked")
        sql.append(revoke)
    return Change("database", name, tuple(actions), tuple(sql)) if actions else None


def plan_users(wanted: dict[str, Any], present: list[str]) -> Change | None:
    """Say which users a database lacks: they come in and make tables, and the database is not theirs."""
    missing = tuple(name for name in wanted["users"] if name not in present)
    if not missing:
        return None
    database = identifier(wanted["name"])
    sql = tuple(
        statement
        for who in map(identifier, missing)
        for statement in (
            f"GRANT CONNECT, TEMPORARY ON DATABASE {database} TO {who};",
            f"GRANT USAGE, CREATE ON SCHEMA public TO {who};",
        )
    )
    return Change("users", wanted["name"], tuple(f"{name} let in" for name in missing), sql, wanted["name"])


def plan_extensions(wanted: dict[str, Any], present: list[str]) -> Change | None:
    """Say which extensions a database lacks."""
    missing = tuple(name for name in wanted["extensions"] if name not in present)
    if not missing:
        return None
    sql = tuple(f"CREATE EXTENSION IF NOT EXISTS {identifier(name)} CASCADE;" for name in missing)
    return Change(
        "extensions", wanted["name"], tuple(f"{name} created" for name in missing), sql, wanted["name"]
    )


def plan(params: dict[str, Any], state: dict[str, Any], inside: dict[str, dict[str, Any]]) -> list[Change]:
    """Return all changes in the order in which they can be made; `inside` is each database's `INSIDE`."""
    changes = [plan_role(role, state["roles"].get(role["name"])) for role in params["roles"]]
    for database in params["databases"]:
        change = plan_database(database, state["databases"].get(database["name"]))
        there = inside.get(database["name"], {"extensions": [], "users": []})
        changes += [change, plan_extensions(database, there["extensions"])]
        # What somebody may as its owner, or as anybody, goes with that.
        changes.append(plan_users(database, there["users"] if change is None else []))
    return [change for change in changes if change is not None]
