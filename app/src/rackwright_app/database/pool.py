"""Connections to PostgreSQL."""

from __future__ import annotations

from typing import Any

from psycopg import AsyncConnection, OperationalError
from psycopg.rows import DictRow, dict_row
from psycopg_pool import AsyncConnectionPool

from rackwright_app.settings import Database

Pool = AsyncConnectionPool[AsyncConnection[DictRow]]


def connection_parameters(settings: Database) -> dict[str, Any]:
    """Returns a connection's parameters: TLS checked against our CA, a dead peer noticed within a minute."""
    parameters: dict[str, Any] = {
        "host": settings.host,
        "port": settings.port,
        "dbname": settings.name,
        "user": settings.user,
        "password": settings.password.get_secret_value(),
        "sslmode": settings.sslmode,
        "connect_timeout": max(2, int(settings.timeout_seconds)),
        "application_name": "rackwright-app",
        "keepalives_idle": 20,
        "keepalives_interval": 10,
        "keepalives_count": 3,
        "tcp_user_timeout": 30_000,
    }
    if settings.ca is not None:
        parameters["sslrootcert"] = str(settings.ca)
    return parameters


def make_pool(settings: Database) -> Pool:
    """Makes the pool, closed; it opens whether or not the database is there, and finds it when it comes."""
    return AsyncConnectionPool(
        connection_class=AsyncConnection[DictRow],
        kwargs={**connection_parameters(settings), "autocommit": True, "row_factory": dict_row},
        min_size=1,
        max_size=settings.pool_size,
        timeout=settings.timeout_seconds,
        # A connection that a restart of the database has cut is replaced before anyone gets it.
        check=AsyncConnectionPool.check_connection,
        reconnect_timeout=30,
        open=False,
        name="rackwright-app",
    )


async def is_ready(pool: Pool) -> bool:
    """Says whether the database answers and holds our tables."""
    try:
        async with pool.connection() as connection:
            found = await connection.execute("SELECT to_regclass('turns') IS NOT NULL AS ready")
            row = await found.fetchone()
    except OperationalError:
        return False
    return row is not None and bool(row["ready"])
