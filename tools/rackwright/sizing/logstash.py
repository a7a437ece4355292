"""Logstash: half of the share is heap; its part of the disk is what may wait, and what was refused."""

from __future__ import annotations

from rackwright.sizing.asked import Asked, Sized, as_they_are
from rackwright.sizing.containers import container_limits
from rackwright.sizing.explained import Explained
from rackwright.sizing.refusal import Change, RefusedError

# Beyond it collections of garbage take longer than they are worth.
LARGEST_HEAP_MB = 8 * 1024
SMALLEST_HEAP_MB = 512
# Queues through which lines only pass, of all pipelines but the one that writes to the store.
PASSING_MB, PASSING = 64, 8
# Of the two pipelines that write to the store.
REFUSING = 2
LARGEST_QUEUE_MB = 16 * 1024
# Where nobody says how large the disk is.
UNKNOWN_DISK_MB = 2 * 1024
_HEAP = "Logstash reference, tuning and profiling"
_QUEUE = "Logstash reference, persistent queues"


def size_logstash(asked: Asked) -> Sized:
    """Derive Logstash's numbers.

    Raises:
        RefusedError: Less than 1 GB, so less than 512 MB of heap.
    """
    heap = min(LARGEST_HEAP_MB, asked.memory_mb // 2)
    if heap < SMALLEST_HEAP_MB:
        enough = 2 * SMALLEST_HEAP_MB
        raise RefusedError(
            f"Logstash's {asked.memory_mb} MB leave {heap} MB of heap: it needs {SMALLEST_HEAP_MB}",
            [
                Change(
                    "services.logstash.memory.minimum_mb",
                    enough,
                    f"give it {enough} MB (services.logstash.memory)",
                )
            ],
        )
    disk_mb = UNKNOWN_DISK_MB if asked.disk_gb is None else asked.disk_gb * 1024
    refused = disk_mb // 10
    queue = min(LARGEST_QUEUE_MB, disk_mb - PASSING * PASSING_MB - REFUSING * refused)
    disk = {"disk_mb": disk_mb}
    return as_they_are(
        {
            **container_limits(asked),
            "heap_mb": Explained(
                heap,
                "MB",
                "memory / 2, at most 8 GB; Xms = Xmx",
                {"memory_mb": asked.memory_mb},
                _HEAP,
            ),
            "queue_mb": Explained(
                queue, "MB", "its disk less the other queues and what is refused, at most 16 GB", disk, _QUEUE
            ),
            "passing_mb": Explained(
                PASSING_MB, "MB", "of each pipeline that hands on to another one", {}, _QUEUE
            ),
            "refused_mb": Explained(
                refused,
                "MB",
                "a tenth of its disk, for each of the two that write",
                disk,
                "Logstash reference, dead-letter queues",
            ),
        }
    )
