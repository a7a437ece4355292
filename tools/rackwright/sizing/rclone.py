"""rclone as an object store: what uploads may hold in memory, and the threads that it plans for."""

from __future__ import annotations

from rackwright.sizing.asked import Asked, Sized, as_they_are
from rackwright.sizing.explained import Explained
from rackwright.sizing.refusal import Change, RefusedError

SMALLEST_MB = 128
_SOURCE = "docs/sizing.md, rclone"


def size_rclone(asked: Asked) -> Sized:
    """Derive rclone's numbers.

    Raises:
        RefusedError: Less than 128 MB.
    """
    if asked.memory_mb < SMALLEST_MB:
        text = f"give rclone {SMALLEST_MB} MB (services.rclone.memory)"
        raise RefusedError(
            f"rclone's budget is {asked.memory_mb} MB: it needs {SMALLEST_MB} MB at least",
            [Change("services.rclone.memory.minimum_mb", SMALLEST_MB, text)],
        )
    return as_they_are(
        {
            "memory_mb": Explained(asked.memory_mb, "MB", "its share, the unit's limit", {}, _SOURCE),
            "cpus": Explained(asked.cpus, "cores", "threads that take and send objects", {}, _SOURCE),
            "buffers_mb": Explained(
                asked.memory_mb // 4,
                "MB",
                "a quarter: parts of an upload that come out of order are held in memory",
                {"memory_mb": asked.memory_mb},
                "rclone documentation, serve s3",
            ),
        }
    )
