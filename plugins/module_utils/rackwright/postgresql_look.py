"""What a PostgreSQL cluster answers, as a fingerprint: for records of what was found in place."""

from __future__ import annotations

import hashlib
import subprocess
from typing import Any

from ansible.module_utils.rackwright.postgresql import (
    PostgresqlError,
    Server,
    identifier,
    running_server,
)

_SECONDS = 10.0


class _Programs:
    """Runs programs as `AnsibleModule` does, where there is no module."""

    def run_command(self, argv: list[str], data: str, cwd: str) -> tuple[int, str, str]:
        """Run a program; return its status, its output and its errors."""
        done = subprocess.run(
            argv, input=data, cwd=cwd, capture_output=True, text=True, check=False, timeout=_SECONDS
        )
        return done.returncode, done.stdout, done.stderr


def answers(data_directory: str, questions: list[list[str]]) -> str | None:
    """Return the digest of what a cluster answers; None when it does not.

    Args:
        data_directory: The cluster's.
        questions: Database and SQL, in the order in which they are asked, by one call.
    """
    server: Server | None = running_server(_Programs(), data_directory)
    if server is None:
        return None
    sql = "\n".join(f"\\connect {identifier(database)}\n{text}" for database, text in questions)
    try:
        said = server.run(sql)
    except (PostgresqlError, OSError, subprocess.TimeoutExpired):
        return None
    return hashlib.sha256(said.encode()).hexdigest()


def subject(data_directory: str, questions: list[tuple[str, str]]) -> list[Any]:
    """Return what a record looks after, as `fingerprint` takes it."""
    return [data_directory, [list(question) for question in questions]]
