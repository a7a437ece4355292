"""Brings the tables to the form that this release needs."""

from __future__ import annotations

import logging.config
import time
from pathlib import Path

import click
import psycopg
import structlog
from alembic import command as alembic_command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from sqlalchemy import create_engine, text
from sqlalchemy.exc import OperationalError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from rackwright_app.database.pool import connection_parameters
from rackwright_app.logs import configure_structlog, log_config
from rackwright_app.settings import Database, settings_or_exit

# Any number, the same in every release: it names the lock that one migration at a time holds.
_LOCK = 7_225_948_341
_LOCK_WAIT = "120s"
_log = structlog.get_logger(__name__)


def migrate(settings: Database, *, wait_seconds: float = 0) -> tuple[str | None, str | None]:
    """Runs the migrations that are missing.

    They run in one transaction that holds an advisory lock: of several instances that start together one
    migrates and the others find nothing left to do; one that fails leaves the tables as they were.

    Args:
        settings: The database.
        wait_seconds: How long to wait for a database that is not there yet.

    Returns:
        The revision before and after.

    Raises:
        sqlalchemy.exc.OperationalError: The database cannot be reached.
    """
    parameters = connection_parameters(settings)
    engine = create_engine(
        "postgresql+psycopg://", creator=lambda: psycopg.connect(**parameters), poolclass=NullPool
    )
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")))
    deadline = time.monotonic() + wait_seconds
    while True:
        try:
            connection = engine.connect()
            break
        except OperationalError as error:
            if time.monotonic() >= deadline:
                raise
            _log.info("waiting for the database", reason=str(error.orig).strip())
            time.sleep(1)
    with connection, connection.begin():
        connection.execute(text(f"SET LOCAL lock_timeout = '{_LOCK_WAIT}'"))
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        before = MigrationContext.configure(connection).get_current_revision()
        config.attributes["connection"] = connection
        alembic_command.upgrade(config, "head")
        after = MigrationContext.configure(connection).get_current_revision()
    _log.info("database migrated", before=before, after=after)
    return before, after


@click.command("migrate")
@click.option(
    "--wait", "wait_seconds", default=0, show_default=True, help="Seconds to wait for the database."
)
def command(wait_seconds: int) -> None:
    """Bring the database's tables to the form that this release needs."""
    settings = settings_or_exit()
    logging.config.dictConfig(log_config(settings.log_level))
    configure_structlog()
    try:
        migrate(settings.database, wait_seconds=wait_seconds)
    except SQLAlchemyError as error:
        reason = str(error.__cause__ or error).strip()
        raise click.ClickException(f"the database was not migrated: {reason}") from None
