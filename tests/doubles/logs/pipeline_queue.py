"""A persistent queue of the double of Logstash: events in a file, in order, each until it is acknowledged."""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from pathlib import Path
from typing import Any


class Queue:
    """Events on their way; one reader, several writers."""

    def __init__(self, directory: Path, max_bytes: int) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.max_bytes = max_bytes
        self._changed = threading.Condition()
        self._file = sqlite3.connect(directory / "events.sqlite", check_same_thread=False)
        self._file.execute("PRAGMA journal_mode = WAL")
        self._file.execute("PRAGMA synchronous = NORMAL")
        self._file.execute(
            "CREATE TABLE IF NOT EXISTS events (id INTEGER PRIMARY KEY AUTOINCREMENT, body TEXT)"
        )
        (size,) = self._file.execute("SELECT coalesce(sum(length(body)), 0) FROM events").fetchone()
        self.bytes = int(size)

    def put(self, events: list[Any], seconds: float | None = None) -> bool:
        """Add events, all or none; wait until there is room, at most `seconds`."""
        bodies = [json.dumps(event, ensure_ascii=False) for event in events]
        size = sum(map(len, bodies))
        ended = None if seconds is None else time.monotonic() + seconds
        with self._changed:
            while self.bytes and self.bytes + size > self.max_bytes:
                left = None if ended is None else ended - time.monotonic()
                if left is not None and left <= 0:
                    return False
                self._changed.wait(left)
            self._file.executemany("INSERT INTO events (body) VALUES (?)", ((body,) for body in bodies))
            self._file.commit()
            self.bytes += size
            self._changed.notify_all()
        return True

    def take(self, count: int, seconds: float) -> list[tuple[int, Any]]:
        """Return the oldest events, with their numbers; none when none comes in time."""
        with self._changed:
            found = self._oldest(count)
            if not found:
                self._changed.wait(seconds)
                found = self._oldest(count)
        return [(number, json.loads(body)) for number, body in found]

    def done(self, numbers: list[int]) -> None:
        """Acknowledge what was taken, up to the last of these."""
        with self._changed:
            (size,) = self._file.execute(
                "SELECT coalesce(sum(length(body)), 0) FROM events WHERE id <= ?", (numbers[-1],)
            ).fetchone()
            self._file.execute("DELETE FROM events WHERE id <= ?", (numbers[-1],))
            self._file.commit()
            self.bytes -= int(size)
            self._changed.notify_all()

    def count(self) -> int:
        """Return how many wait."""
        with self._changed:
            (found,) = self._file.execute("SELECT count(*) FROM events").fetchone()
        return int(found)

    def _oldest(self, count: int) -> list[tuple[int, str]]:
        return self._file.execute("SELECT id, body FROM events ORDER BY id LIMIT ?", (count,)).fetchall()
