"""Access logs in JSON, counted as they grow: what the edge and the model route answered, and how fast."""

from __future__ import annotations

import json
import os
from pathlib import Path

from rackwright.host_metrics.exposition import Family, Histogram

BOUNDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
# Of what has grown since the last look; a burst beyond it is counted at the next.
MOST_BYTES = 16 << 20


class AccessLog:
    """One log, followed by its file's number: a rotation loses no more than what was unread before."""

    def __init__(self, name: str, path: Path) -> None:
        self.path = path
        self._inode, self._offset = self._end()
        self._requests = Family(
            f"rackwright_{name}_requests_total", "Requests answered, by host and status.", "counter"
        )
        self._seconds = Histogram(
            f"rackwright_{name}_request_seconds", "Time from a request to the end of its answer.", BOUNDS
        )

    def read(self) -> list[Family | Histogram]:
        """Count what has come since the last look; return all that was counted since the start."""
        try:
            with self.path.open("rb") as file:
                status = os.fstat(file.fileno())
                if status.st_ino != self._inode or status.st_size < self._offset:
                    self._inode, self._offset = status.st_ino, 0
                file.seek(self._offset)
                data = file.read(MOST_BYTES)
        except FileNotFoundError:
            # Between a rotation and the first answer after it. One that may not be read is told as such.
            return [self._requests, self._seconds]
        whole, newline, _ = data.rpartition(b"\n")
        self._offset += len(whole) + len(newline)
        for line in whole.splitlines():
            self._count(line)
        return [self._requests, self._seconds]

    def _count(self, line: bytes) -> None:
        try:
            entry = json.loads(line)
            status, seconds = int(entry["status"]), float(entry["seconds"])
            host = str(entry.get("host") or entry.get("model") or "")
        except (ValueError, KeyError, TypeError):
            return
        if not 100 <= status <= 599:  # noqa: PLR2004 - HTTP; 0 is a connection that asked for nothing
            return
        self._requests.samples.setdefault((("host_name", host), ("status", str(status))), 0.0)
        self._requests.samples[("host_name", host), ("status", str(status))] += 1
        self._seconds.observe(seconds, host_name=host)

    def _end(self) -> tuple[int, int]:
        """Return where to begin: what is in the log already was answered before this program watched."""
        try:
            status = self.path.stat()
        except OSError:
            return 0, 0
        return status.st_ino, status.st_size
