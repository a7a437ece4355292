"""The double's database, release by release; each step by itself, so that a bad one leaves half behind."""

from __future__ import annotations

from common import fail, say
from stores import database

_FIRST = (
    "SELECT uuid_generate_v4()",
    "CREATE TABLE IF NOT EXISTS dify_setups (version text PRIMARY KEY, setup_at timestamptz DEFAULT now())",
    "CREATE TABLE IF NOT EXISTS accounts (email text PRIMARY KEY, name text, password text)",
    "CREATE TABLE IF NOT EXISTS documents (state jsonb)",
)
# Release -> its steps after those of the one before.
STEPS: dict[str, tuple[str, ...]] = {
    "1.17.0": _FIRST,
    "1.17.1": ("ALTER TABLE accounts ADD COLUMN IF NOT EXISTS last_seen timestamptz",),
    # What an upgrade is afraid of: it changes what is there, and then fails.
    "1.18.0-broken": (
        "UPDATE accounts SET password = 'lost'",
        "ALTER TABLE accounts RENAME TO accounts_new",
        "SELECT no_such_function()",
    ),
}


def version() -> str:
    """Return the release that the database is at; nothing before the first migration."""
    with database() as connection, connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass('alembic_version')")
        if cursor.fetchone()[0] is None:
            return ""
        cursor.execute("SELECT version_num FROM alembic_version")
        found = cursor.fetchone()
        return str(found[0]) if found else ""


def migrate(release: str) -> None:
    """Bring the database to a release."""
    there = version()
    order = list(STEPS)
    connection = database()
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE IF NOT EXISTS alembic_version (version_num text NOT NULL)")
        for name in order[order.index(there) + 1 if there else 0 : order.index(release) + 1]:
            for step in STEPS[name]:
                say(f"{name}: {step}")
                try:
                    cursor.execute(step)
                except Exception as error:  # noqa: BLE001 - whatever the database says
                    fail(f"migration {name}: {error}")
            cursor.execute("DELETE FROM alembic_version")
            cursor.execute("INSERT INTO alembic_version VALUES (%s)", (name,))
    say(f"the database is at {release}")
