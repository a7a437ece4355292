"""A named point in a running cluster: writers wait for a moment, and what is there at that moment is known.

SHARE locks on all tables wait for the transactions that write and keep others from starting; readers go on.
While they are held the point is written to the log, a second session of each database takes its snapshot, and
whoever asked may copy the other stores. Then the locks go, and the rows are counted in the snapshots at
leisure. A lost connection ends the sessions, and with them the locks.
"""

from __future__ import annotations

import json
import re
import select
import sys
import time
from contextlib import ExitStack
from typing import IO, Any

from rackwright.backup.agent.contents import count, databases, tables
from rackwright.backup.agent.sessions import Session
from rackwright.backup.agent.shell import Failed

LOCK_SECONDS = 5
TRIES = 3
NAME = re.compile(r"^[a-z0-9][a-z0-9-]{0,50}$")


def hold(name: str, longest: float, asked: IO[str] = sys.stdin, out: IO[str] = sys.stdout) -> None:
    """Make a point; write two lines of JSON: where it is, then what is there.

    Args:
        name: The point's name.
        longest: Writers wait so many seconds at most for a line on `asked`.
        asked: A line, or its end, lets writers go on.
        out: For the two lines.

    Raises:
        Failed: Writers do not pause, or waited too long: there is a point then, but nothing beside it counts.
    """
    if not NAME.match(name):
        raise Failed(f"{name!r} is no name of a point", "write small letters, digits and -, 51 at most")
    with Session("postgres") as session:
        names = databases(session)
    for number in range(1, TRIES + 1):
        with ExitStack() as stack:
            try:
                found, started, counting = _pause(stack, names, name)
            except Failed:
                if number == TRIES:
                    raise
                time.sleep(number)
                continue
            print(json.dumps(found), file=out, flush=True)
            ready, _, _ = select.select([asked], [], [], longest)
            if ready:
                asked.readline()
            for holding, _snapshot in counting.values():
                holding.ask("COMMIT")
            paused = time.monotonic() - started
            if not ready:
                raise Failed(f"writers waited {longest:.0f} s, which is the longest that they may")
            contents = {database: count(snapshot) for database, (_, snapshot) in counting.items()}
            print(json.dumps({"contents": contents, "pause_seconds": round(paused, 3)}), file=out, flush=True)
            return


def _pause(
    stack: ExitStack, names: list[str], point: str
) -> tuple[dict[str, Any], float, dict[str, tuple[Session, Session]]]:
    open_sessions: dict[str, tuple[Session, Session]] = {}
    started = time.monotonic()
    for database in names:
        holding, snapshot = stack.enter_context(Session(database)), stack.enter_context(Session(database))
        open_sessions[database] = holding, snapshot
        listed = ", ".join(table for table, _, _ in tables(holding))
        holding.ask(f"SET lock_timeout = '{LOCK_SECONDS}s'; BEGIN")
        if listed:
            holding.ask(f"LOCK TABLE {listed} IN SHARE MODE")
    for _, snapshot in open_sessions.values():
        snapshot.ask("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SELECT 1")
    first, _ = next(iter(open_sessions.values()))
    # The name is one of NAME.
    made = f"pg_create_restore_point('{point}')"
    where = first.one(
        "SELECT json_build_object('lsn', lsn::text, 'wal', pg_walfile_name(lsn), 'time', clock_timestamp(),"  # noqa: S608
        " 'timeline', (SELECT timeline_id FROM pg_control_checkpoint())) FROM " + made + " AS lsn"
    )
    return {"point": point, **json.loads(where)}, started, open_sessions


def switch() -> None:
    """Close the log's segment, so that the point leaves for the repository at once."""
    with Session("postgres") as session:
        session.ask("SELECT pg_switch_wal()")
