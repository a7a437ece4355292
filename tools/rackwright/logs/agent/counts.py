"""The shipper's own metrics, as a file that the node exporter publishes."""

from __future__ import annotations

import os
import re
import threading
import time
from dataclasses import dataclass, field, fields
from pathlib import Path

_WAITING = re.compile(r"iQueueSize:\d+:\d+:(\d+):")
_EVERY_SECONDS = 15
_HELP = {
    "sent": "Lines that the log store has taken.",
    "duplicates": "Lines that came again and were there already.",
    "dropped": "Lines that the store will never take; they are in the file refused.json.",
    "masked": "Lines in which something was masked here.",
    "retries": "Requests that had to be repeated.",
    "failures": "Batches that went back to the queue.",
}


@dataclass
class Counts:
    """How many lines went which way since the program was started."""

    sent: int = 0
    duplicates: int = 0
    dropped: int = 0
    masked: int = 0
    retries: int = 0
    failures: int = 0
    last_success: float = field(default_factory=time.time)
    store_up: bool = True


def rendered(counts: Counts, queue: Path, limit_bytes: int) -> str:
    """Return the metrics in Prometheus's text format.

    Args:
        counts: The program's.
        queue: Directory of rsyslog's queue.
        limit_bytes: What may wait there.
    """
    lines = []
    for item in fields(counts):
        if item.name in _HELP:
            name = f"rackwright_logs_{item.name}_total"
            lines += [
                f"# HELP {name} {_HELP[item.name]}",
                f"# TYPE {name} counter",
                f"{name} {getattr(counts, item.name)}",
            ]
    lengths, size = waiting(queue)
    for name, text, value in (
        ("waiting", "Lines that wait for the log store.", lengths),
        ("waiting_bytes", "What they take on the disk.", size),
        ("waiting_limit_bytes", "What they may take.", limit_bytes),
        ("store_up", "Whether the log store took the last batch.", int(counts.store_up)),
        ("last_success_timestamp_seconds", "When it last took one.", counts.last_success),
    ):
        lines += [f"# HELP rackwright_logs_{name} {text}", f"# TYPE rackwright_logs_{name} gauge"]
        lines.append(f"rackwright_logs_{name} {value}")
    return "\n".join(lines) + "\n"


def waiting(queue: Path) -> tuple[int, int]:
    """Return how many lines wait in rsyslog's queue, and how many bytes it takes."""
    size, length = 0, 0
    for path in queue.glob("*"):
        try:
            size += path.stat().st_size
            if path.suffix == ".qi" and (
                found := _WAITING.search(path.read_text(encoding="ascii", errors="replace"))
            ):
                length = int(found[1])
        except OSError:
            continue
    return length, size


def publish(counts: Counts, queue: Path, limit_bytes: int, path: Path) -> None:
    """Write the metrics every few seconds, from a thread that ends with the program."""

    def again() -> None:
        while True:
            fresh = path.with_suffix(".new")
            try:
                fresh.write_text(rendered(counts, queue, limit_bytes), encoding="utf-8")
                fresh.chmod(0o644)
                os.replace(fresh, path)  # noqa: PTH105 - as the page of node exporter advises
            except OSError:
                pass
            time.sleep(_EVERY_SECONDS)

    threading.Thread(target=again, daemon=True).start()
