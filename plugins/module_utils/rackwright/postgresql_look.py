"""What a PostgreSQL cluster is asked for its state, and its answers as a fingerprint for records."""

from __future__ import annotations

import hashlib
import subprocess
import time
from pathlib import Path
from typing import Any

from ansible.module_utils.rackwright.postgresql import (
    PostgresqlError,
    Server,
    identifier,
    running_server,
)
from ansible.module_utils.rackwright.postgresql_jobs import DATABASE, JOBS
from ansible.module_utils.rackwright.postgresql_plan import EXTENSIONS, INSIDE, state_query
from ansible.module_utils.rackwright.postgresql_pooler import STATE

_SECONDS = 10.0
RELOAD_SECONDS = 10.0


def newest_configuration(directory: Path) -> float:
    """Return when the newest file of the configuration was written, in seconds since 1970."""
    return max((path.stat().st_mtime for path in directory.rglob("*.conf")), default=0.0)


def settled_state(server: Server, params: dict[str, Any]) -> dict[str, Any]:
    """Ask for the state, once the server has read the newest configuration: a reload is not instant."""
    newest = newest_configuration(Path(params["configuration_directory"]))
    until = time.monotonic() + RELOAD_SECONDS
    while True:
        state: dict[str, Any] = server.ask(state_query(params))
        if state["errors"]:
            raise PostgresqlError("the server refuses its configuration: " + "; ".join(state["errors"]))
        if state["loaded"] >= newest or time.monotonic() > until:
            return state
        time.sleep(0.1)


def questions(params: dict[str, Any]) -> list[tuple[str, str]]:
    """Return what is asked of a cluster to see whether it is as asked for: database and SQL."""
    asked = [("postgres", state_query(params)), (DATABASE, EXTENSIONS)]
    asked += [(database["name"], INSIDE) for database in params["databases"]]
    # The table of jobs is there from the first job on.
    asked += [(DATABASE, JOBS)] if params["jobs"] else []
    return [*asked, *([("postgres", STATE)] if params["pooler"] else [])]


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
