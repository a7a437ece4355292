"""A double of Dify's api image: MODE says whether it migrates, serves, works or schedules."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from common import fail, say, serve
from console import Console, State
from migrations import migrate, version
from release import check
from stores import broker, cache, key, vectors
from uploads import uploads

READY = Path("/tmp/ready")  # noqa: S108 - in the container


def main(release: str) -> None:
    """Do what MODE says."""
    check("backend", os.environ)
    mode = os.environ["MODE"]
    if (mode == "migration") != (os.environ["MIGRATION_ENABLED"] == "true"):
        fail("only the migration migrates here")
    if mode == "migration":
        migrate(release)
        return
    if version() != release:
        fail(f"the database is at {version() or 'nothing'}, and this is {release}")
    cache().set(key(f"double:{mode}"), str(time.time()))
    if mode == "api":
        vectors()
        uploads()
        Console.state = State(release)
        serve(Console, 5001)
        return
    # The word stands in the command, as in the release's own.
    if mode == "beat" and "beat" not in sys.argv:
        os.execv(sys.executable, [sys.executable, *sys.argv, "beat"])  # noqa: S606 - itself, by another name
    queue = broker()
    READY.touch()
    say(f"{mode} has its queue")
    while True:
        if mode == "beat":
            queue.lpush(key("queue"), "tick")
            queue.ltrim(key("queue"), 0, 9)
            time.sleep(5)
        else:
            found = queue.brpop(key("queue"), timeout=5)
            if found:
                queue.set(key("worked"), str(time.time()))


if __name__ == "__main__":
    main(sys.argv[1])
