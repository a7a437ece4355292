"""Clusters of PostgreSQL in the repository: pgBackRest's own words, as data."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rackwright.backup.agent import lineage
from rackwright.backup.agent.settings import Store
from rackwright.backup.agent.shell import Failed, last_words, run

FULL_DAYS = 7
ARCHIVE_SECONDS = 90
# A cluster that brings a part of its log just now, or tries to, holds a lock for that moment.
LOCK_SECONDS = 60
_LOCKED = "unable to acquire lock"
_SEGMENT = re.compile(r"^(?:[0-9A-F]{16}/)?([0-9A-F]{24})-[0-9a-f]{40}")
_HISTORY = re.compile(r"^([0-9A-F]{8})\.history$")


@dataclass(frozen=True)
class Backup:
    """One backup of a cluster.

    Attributes:
        label: pgBackRest's name of it.
        kind: full, diff or incr.
        started: Seconds since 1970.
        stopped: The same; a time from here on can be reached.
        size: Bytes of the cluster.
        kept: Bytes that it takes in the repository.
        wal: First and last segment of the log that it needs.
        needs: Labels of the backups that it builds on.
        version: Major version of the server.
        archive: Where its log is: a cluster that took another's place begins a new one.
    """

    label: str
    kind: str
    started: int
    stopped: int
    size: int
    kept: int
    wal: tuple[str, str]
    needs: tuple[str, ...]
    version: str
    archive: str = "17-1"


def pgbackrest(store: Store, *words: str, check: bool = True) -> str:
    """Run pgBackRest for a cluster; return what it said.

    Raises:
        Failed: It did not succeed, in words.
    """
    command = ["pgbackrest", f"--stanza={store.stanza}", *words]
    ends = time.monotonic() + LOCK_SECONDS
    done = run(command, check=False)
    while done.returncode and _LOCKED in done.stdout + done.stderr and time.monotonic() < ends:
        time.sleep(1)
        done = run(command, check=False)
    if check and done.returncode:
        raise Failed(*_explained(done.stdout + done.stderr))
    return done.stdout


def _explained(text: str) -> tuple[str, str]:
    """Return an error and a hint for what pgBackRest says."""
    if "CryptoError" in text or "unable to load info file" in text:
        return (
            "the repository does not open with the key of this site's vault",
            "take the vault of that time: vault_backup_cipher_passphrase must be what it was",
        )
    errors = [line for line in text.splitlines() if "ERROR" in line or "WARN" in line]
    return f"pgBackRest: {last_words(chr(10).join(errors) or text, 3)}", ""


def info(store: Store) -> dict[str, Any]:
    """Return what the repository says of a cluster.

    Raises:
        Failed: The repository cannot be read, or has no such cluster.
    """
    text = pgbackrest(store, "--output=json", "info") or "[]"
    try:
        answer = json.loads(text)
    except ValueError as error:
        # What the wrong key makes of a file is in the answer as it is.
        raise Failed(*_explained(text)) from error
    stanza: dict[str, Any] = next((entry for entry in answer if entry["name"] == store.stanza), {})
    status = stanza.get("status", {"code": 1, "message": "missing stanza path"})
    # 1: not made yet, 2: no backup yet.
    if status["code"] not in {0, 1, 2}:
        told = json.dumps(stanza.get("repo", [])) + status["message"]
        raise Failed(*_explained(told))
    return stanza


def backups(store: Store) -> list[Backup]:
    """Return the good backups of a cluster, oldest first."""
    stanza = info(store)
    versions = {entry["id"]: entry["version"] for entry in stanza.get("db", [])}
    return [
        Backup(
            label=entry["label"],
            kind=entry["type"],
            started=entry["timestamp"]["start"],
            stopped=entry["timestamp"]["stop"],
            size=entry["info"]["size"],
            kept=entry["info"]["repository"].get("delta", 0),
            wal=(entry["archive"]["start"], entry["archive"]["stop"]),
            needs=tuple(entry.get("reference") or ()),
            version=versions[entry["database"]["id"]],
            archive=f"{versions[entry['database']['id']]}-{entry['database']['id']}",
        )
        for entry in stanza.get("backup", [])
        if not entry.get("error")
    ]


def kind_due(store: Store, now: float) -> str:
    """Return which kind is due: a full one when the last is a week old, else what differs from it."""
    full = [entry.stopped for entry in backups(store) if entry.kind == "full"]
    # An hour less, so that the clock of cron does not put it off by a day.
    return "diff" if full and now - full[-1] < FULL_DAYS * 86400 - 3600 else "full"


@dataclass(frozen=True)
class Log:
    """The log of a cluster in the repository.

    Attributes:
        segments: Their names.
        began: When each timeline after the first began.
    """

    segments: frozenset[str]
    began: Mapping[int, float]


def log(store: Store, archive: str) -> Log:
    """Return what the repository has of a cluster's log.

    Args:
        store: The cluster.
        archive: Which of its lives (`Backup.archive`).
    """
    place = f"archive/{store.stanza}/{archive}"
    listed = json.loads(pgbackrest(store, "repo-ls", place, "--recurse", "--output=json"))
    segments = (_SEGMENT.match(path) for path in listed)
    histories = {path: _HISTORY.match(path) for path in listed}
    return Log(
        frozenset(match.group(1) for match in segments if match),
        {
            int(match.group(1), 16): float(listed[path]["time"])
            for path, match in histories.items()
            if match is not None
        },
    )


def line_to(store: Store, archive: str, timeline: int) -> tuple[lineage.Span, ...]:
    """Return the line that leads to a timeline."""
    if timeline == lineage.FIRST:
        return lineage.spans(timeline, "")
    place = f"archive/{store.stanza}/{archive}/{timeline:08X}.history"
    return lineage.spans(timeline, pgbackrest(store, "repo-get", place))


def await_segment(store: Store, segment: str) -> None:
    """Wait until a segment of the log is in the repository.

    Raises:
        Failed: It does not come.
    """
    ends = time.monotonic() + ARCHIVE_SECONDS
    while True:
        newest = max((entry["max"] or "" for entry in info(store).get("archive", [])), default="")
        if newest[8:] >= segment[8:]:
            return
        if time.monotonic() > ends:
            raise Failed(
                f"segment {segment} of the log did not arrive within {ARCHIVE_SECONDS} s; newest: {newest}",
                f"look at {store.host}: rackwright health says how its archiving is",
            )
        time.sleep(0.5)
