"""``rackwright-app retain``: forgets what is older than the site keeps (A7)."""

from __future__ import annotations

import time
from pathlib import Path
from tempfile import gettempdir

import click
import psycopg

from rackwright_app.database.pool import connection_parameters
from rackwright_app.settings import Settings, settings_or_exit

_DAY_SECONDS = 86_400


def retain(settings: Settings) -> dict[str, int]:
    """Forgets what is too old.

    Args:
        settings: How long each is kept.

    Returns:
        How many of each were forgotten.
    """
    keep = settings.retention
    with psycopg.connect(**connection_parameters(settings.database)) as connection:
        done = {
            "conversations": connection.execute(
                "DELETE FROM sessions"
                " WHERE %(days)s > 0 AND updated_at < now() - make_interval(days => %(days)s)",
                {"days": keep.conversation_days},
            ).rowcount,
            "refresh tokens": connection.execute(
                "DELETE FROM refresh_tokens WHERE expires_at < now() - interval '1 day'"
            ).rowcount,
        }
        # The table's trigger lets nobody else delete.
        connection.execute("SET LOCAL rackwright.retention = 'on'")
        done["audit rows"] = connection.execute(
            "DELETE FROM audit WHERE at < now() - make_interval(days => %s)", (max(1, keep.audit_days),)
        ).rowcount
        # A worker that was killed within an upload leaves a document that is never shown.
        done["unfinished documents"] = connection.execute(
            "DELETE FROM documents WHERE status = 'processing' AND created_at < now() - interval '1 day'"
        ).rowcount
    done["temporary files"] = _old_files(Path(gettempdir()), keep.temporary_days)
    return done


def _old_files(directory: Path, days: int) -> int:
    """Removes our user's old files of the temporary directory (the service has one of its own)."""
    oldest = time.time() - days * _DAY_SECONDS
    found = [path for path in directory.glob("tmp*") if path.is_file() and path.stat().st_mtime < oldest]
    for path in found:
        path.unlink(missing_ok=True)
    return len(found)


@click.command("retain")
def command() -> None:
    """Forget what is older than the site keeps."""
    for what, count in retain(settings_or_exit()).items():
        click.echo(f"{what}: {count}")
