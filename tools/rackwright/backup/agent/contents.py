"""What a cluster holds, in numbers that can be compared: rows of each table, and a checksum over them."""

from __future__ import annotations

import json
from typing import Any

from rackwright.backup.agent.sessions import Session

# Reading a larger table for its checksum would cost more than it proves; its rows are counted.
CHECKSUM_BYTES = 1 << 30
# What a row looks like as text must not depend on the session.
STEADY = (
    "SET TimeZone = 'UTC'; SET DateStyle = 'ISO, YMD'; SET IntervalStyle = 'postgres';"
    " SET extra_float_digits = 1; SET bytea_output = 'hex'; SET statement_timeout = 0; SET work_mem = '4MB'"
)
_DATABASES = "SELECT datname FROM pg_database WHERE datallowconn AND NOT datistemplate ORDER BY 1"
_TABLES = (
    "SELECT json_build_array(quote_ident(nspname) || '.' || quote_ident(relname), relkind,"
    " pg_table_size(c.oid))"
    " FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace"
    " WHERE relkind IN ('r', 'p') AND relpersistence = 'p' AND nspname <> 'information_schema'"
    " AND nspname NOT LIKE 'pg\\_%' ORDER BY 1::text"
)

Contents = dict[str, dict[str, list[Any]]]


def databases(session: Session) -> list[str]:
    """Return the databases that can be connected to."""
    return session.ask(_DATABASES)


def tables(session: Session) -> list[tuple[str, str, int]]:
    """Return name (quoted), kind (r or p) and bytes of every table of the session's database."""
    return [(name, kind, int(size)) for name, kind, size in map(json.loads, session.ask(_TABLES))]


def count(session: Session) -> dict[str, list[Any]]:
    """Return for every table its rows, and the sum of their hashes or None where it is large."""
    session.ask(STEADY)
    found: dict[str, list[Any]] = {}
    for name, kind, size in tables(session):
        if kind == "p":  # its rows are those of its partitions
            continue
        if size > CHECKSUM_BYTES:
            found[name] = [int(session.one(f"SELECT count(*) FROM ONLY {name}")), None]  # noqa: S608 - quoted
            continue
        answer = session.one(
            f"SELECT count(*), coalesce(sum(hashtextextended(t::text, 0)::numeric), 0) FROM ONLY {name} t"  # noqa: S608
        )
        rows, total = answer.split("\t")
        found[name] = [int(rows), total]
    return found


def differences(wanted: Contents, found: Contents) -> list[str]:
    """Return in words what is not as it was; nothing when all is."""
    told = []
    for database, tables_wanted in wanted.items():
        if database not in found:
            told.append(f"the database {database} is missing")
            continue
        for table, (rows, total) in tables_wanted.items():
            if table not in found[database]:
                told.append(f"{database}: the table {table} is missing")
                continue
            rows_found, total_found = found[database][table]
            if rows != rows_found:
                told.append(f"{database}: {table} has {rows_found} rows, not {rows}")
            elif None not in {total, total_found} and total != total_found:
                told.append(f"{database}: rows of {table} have another content")
    return told


def rows_of(contents: Contents) -> int:
    """Return how many rows there are in all."""
    return sum(int(entry[0]) for named in contents.values() for entry in named.values())
