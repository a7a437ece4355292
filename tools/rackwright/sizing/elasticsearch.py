"""Elasticsearch: half of the share is heap, the other half is what Lucene reads through the page cache."""

from __future__ import annotations

from rackwright.sizing.asked import Asked, Sized, as_they_are
from rackwright.sizing.containers import container_limits
from rackwright.sizing.explained import Explained
from rackwright.sizing.refusal import Change, RefusedError

# Above about 32 GB the JVM gives up compressed object pointers, and a larger heap holds less.
LARGEST_HEAP_MB = 31 * 1024
SMALLEST_HEAP_MB = 512
_SOURCE = "Elasticsearch reference, JVM heap size"


def size_elasticsearch(asked: Asked) -> Sized:
    """Derive Elasticsearch's numbers.

    Raises:
        RefusedError: Less than 1 GB, so less than 512 MB of heap.
    """
    heap = min(LARGEST_HEAP_MB, asked.memory_mb // 2)
    if heap < SMALLEST_HEAP_MB:
        enough = 2 * SMALLEST_HEAP_MB
        raise RefusedError(
            f"Elasticsearch's {asked.memory_mb} MB leave {heap} MB of heap: it needs {SMALLEST_HEAP_MB}",
            [
                Change(
                    "services.elasticsearch.memory.minimum_mb",
                    enough,
                    f"give it {enough} MB (services.elasticsearch.memory)",
                )
            ],
        )
    inputs = {"memory_mb": asked.memory_mb}
    return as_they_are(
        {
            **container_limits(asked),
            "heap_mb": Explained(
                heap,
                "MB",
                "memory / 2, at most 31 GB (compressed object pointers); Xms = Xmx",
                inputs,
                _SOURCE,
            ),
            "node_processors": Explained(
                asked.cpus,
                "",
                "its cores: the thread pools follow",
                {"cpus": asked.cpus},
                "Elasticsearch reference, node.processors",
            ),
        }
    )
