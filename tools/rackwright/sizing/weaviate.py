"""Weaviate: what its heap may take, and what of it holds vectors."""

from __future__ import annotations

from rackwright.sizing.asked import Asked, Sized, as_they_are
from rackwright.sizing.containers import container_limits
from rackwright.sizing.explained import Explained, Scalar
from rackwright.sizing.refusal import Change, RefusedError

SMALLEST_MB = 512
# The rest is for what it maps and for stacks.
HEAP_PERCENT = 85
BASE_MB = 128
# The embedding model's vectors (bge-m3), 4 bytes each, twice: Go's collector holds as much again.
DIMENSIONS = 1024
BYTES_PER_VECTOR = DIMENSIONS * 4 * 2
_MB = 1024**2


def size_weaviate(asked: Asked) -> Sized:
    """Derive Weaviate's numbers.

    Raises:
        RefusedError: Less than 512 MB.
    """
    if asked.memory_mb < SMALLEST_MB:
        text = f"give Weaviate {SMALLEST_MB} MB (services.weaviate.memory)"
        raise RefusedError(
            f"Weaviate's budget is {asked.memory_mb} MB: it needs {SMALLEST_MB} MB at least",
            [Change("services.weaviate.memory.minimum_mb", SMALLEST_MB, text)],
        )
    memory: dict[str, Scalar] = {"memory_mb": asked.memory_mb}
    heap = asked.memory_mb * HEAP_PERCENT // 100
    return as_they_are(
        {
            **container_limits(asked),
            "heap_mb": Explained(
                heap,
                "MB",
                f"{HEAP_PERCENT} % of its memory, GOMEMLIMIT: what is mapped and stacks come on top",
                memory,
                "Weaviate documentation, resource planning",
            ),
            "vectors_in_memory": Explained(
                (heap - BASE_MB) * _MB // BYTES_PER_VECTOR,
                "",
                f"what fits: {DIMENSIONS} dimensions x 4 bytes x 2; an index is in memory as a whole",
                {"heap_mb": heap, "base_mb": BASE_MB},
                "Weaviate documentation, resource planning",
            ),
        }
    )
