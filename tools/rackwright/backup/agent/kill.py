"""A cluster that is killed while numbered rows are written: how long it is away, and what it still has."""

from __future__ import annotations

import time
from typing import Any

from rackwright.backup.agent.sessions import Session
from rackwright.backup.agent.shell import Failed, as_user, run

TABLE = "rackwright_rehearsal"
SECONDS = 3.0
AWAY_SECONDS = 300


def kill(store: dict[str, Any]) -> dict[str, Any]:
    """Write rows, kill the server with SIGKILL in the middle, wait for it, and look for every row.

    Returns:
        `away_seconds`, `acknowledged` rows, `found` rows.
    """
    with Session("postgres") as session:
        session.ask(f"DROP TABLE IF EXISTS {TABLE}; CREATE TABLE {TABLE} (n int PRIMARY KEY)")
    acknowledged, ends, killed = 0, time.monotonic() + SECONDS, 0.0
    with Session("postgres") as session:
        try:
            while True:
                session.ask(f"INSERT INTO {TABLE} VALUES ({acknowledged + 1})")  # noqa: S608 - a number
                acknowledged += 1
                if not killed and time.monotonic() > ends:
                    killed = time.monotonic()
                    run(["systemctl", "kill", "--signal=KILL", store["unit"]])
        except Failed:
            pass
    ask = as_user("postgres", ["psql", "-XAtqc", f"INSERT INTO {TABLE} VALUES (0) ON CONFLICT DO NOTHING"])  # noqa: S608
    while run(ask, check=False).returncode:
        if time.monotonic() - killed > AWAY_SECONDS:
            raise Failed(f"the server did not come back within {AWAY_SECONDS} s")
        time.sleep(0.1)
    away = time.monotonic() - killed
    with Session("postgres") as session:
        found = int(session.one(f"SELECT count(*) FROM {TABLE} WHERE n BETWEEN 1 AND {acknowledged}"))  # noqa: S608
        session.ask(f"DROP TABLE {TABLE}")
    return {"away_seconds": round(away, 2), "acknowledged": acknowledged, "found": found}
