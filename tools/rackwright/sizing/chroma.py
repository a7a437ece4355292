"""Chroma: what its memory holds, and the threads that it plans for."""

from __future__ import annotations

from rackwright.sizing.asked import Asked, Sized, as_they_are
from rackwright.sizing.explained import Explained
from rackwright.sizing.refusal import Change, RefusedError

SMALLEST_MB = 256
# The server itself, its SQLite cache and a request of the largest size.
BASE_MB = 128
# The embedding model's vectors (bge-m3), 4 bytes each, and as much again for graph and growth.
DIMENSIONS = 1024
BYTES_PER_VECTOR = DIMENSIONS * 4 * 2
_MB = 1024**2


def size_chroma(asked: Asked) -> Sized:
    """Derive Chroma's numbers.

    Raises:
        RefusedError: Less than 256 MB.
    """
    if asked.memory_mb < SMALLEST_MB:
        text = f"give Chroma {SMALLEST_MB} MB (services.chroma.memory)"
        raise RefusedError(
            f"Chroma's budget is {asked.memory_mb} MB: it needs {SMALLEST_MB} MB at least",
            [Change("services.chroma.memory.minimum_mb", SMALLEST_MB, text)],
        )
    return as_they_are(
        {
            "memory_mb": Explained(
                asked.memory_mb, "MB", "its share, the unit's limit", {}, "docs/sizing.md, Chroma"
            ),
            "cpus": Explained(
                asked.cpus, "cores", "threads that search and index", {}, "docs/sizing.md, Chroma"
            ),
            "vectors_in_memory": Explained(
                (asked.memory_mb - BASE_MB) * _MB // BYTES_PER_VECTOR,
                "",
                f"what fits: {DIMENSIONS} dimensions x 4 bytes x 2; an index is in memory as a whole",
                {"memory_mb": asked.memory_mb, "base_mb": BASE_MB},
                "Chroma documentation, single-node performance",
            ),
        }
    )
