"""Log that was given up for want of a backup host: remembered until a backup does without it.

pgBackRest tells the server that it took such a segment; its own log alone says what was done. What is
lost are points in time that need the segment, until there is a backup that begins after it.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

from rackwright.backup.agent.shell import write

DIRECTORY = Path("/var/lib/rackwright/given-up")
LOGS = Path("/var/log/pgbackrest")
_DROPPED = re.compile(r"dropped WAL file '([0-9A-F]{24})'")
# The first eight digits are the timeline, which a restore changes.
_PLACE = slice(8, 24)


def seen(name: str, stanza: str, logs: Path = LOGS, directory: Path = DIRECTORY) -> tuple[str, str] | None:
    """Return the first and the last segment that were given up since the last backup; None for none.

    Args:
        name: The store.
        stanza: pgBackRest's name of it.
        logs: Where its logs are.
        directory: Where what was given up is remembered.
    """
    path = directory / f"{name}.json"
    known = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {"segments": [], "based": ""}
    fresh = {
        match.group(1)
        for log in logs.glob(f"{stanza}-archive-push*.log")
        for match in _DROPPED.finditer(log.read_text(encoding="utf-8", errors="replace"))
    }
    found = {segment for segment in {*known["segments"], *fresh} if segment[_PLACE] >= known["based"][_PLACE]}
    lost = sorted(found, key=lambda segment: segment[_PLACE])
    ends = [lost[0], lost[-1]] if lost else []
    if ends != known["segments"]:
        write(path, json.dumps({**known, "segments": ends}))
    return (ends[0], ends[1]) if ends else None


def forget(name: str, first: str, directory: Path = DIRECTORY) -> None:
    """A backup that begins at segment `first` needs nothing before it."""
    path = directory / f"{name}.json"
    known = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {"segments": []}
    segments = [segment for segment in known["segments"] if segment[_PLACE] >= first[_PLACE]]
    write(path, json.dumps({"segments": segments, "based": first}))
