"""Milvus standalone: what of its share holds vectors, and how large its segments get."""

from __future__ import annotations

from rackwright.sizing.asked import Asked, Sized, as_they_are
from rackwright.sizing.containers import container_limits
from rackwright.sizing.explained import Explained, Scalar
from rackwright.sizing.refusal import Change, RefusedError

SMALLEST_MB = 1024
# The server with its embedded etcd, before it holds anything.
BASE_MB = 512
LEAST_SEGMENT_MB, MOST_SEGMENT_MB = 64, 1024
LEAST_RETENTION_MB, MOST_RETENTION_MB = 512, 8192
# The embedding model's vectors (bge-m3), 4 bytes each, and half as much again for the graph.
DIMENSIONS = 1024
BYTES_PER_VECTOR = DIMENSIONS * 4 * 3 // 2
# Beyond it Milvus refuses to load a segment, and then to write.
WATERMARK = 0.85
_CONFIG = "Milvus documentation, system configuration"
_OURS = "docs/sizing.md, Milvus"
_MB = 1024**2


def size_milvus(asked: Asked) -> Sized:
    """Derive Milvus' numbers, in the units of its configuration file.

    Raises:
        RefusedError: Less than 1024 MB.
    """
    memory_mb = asked.memory_mb
    if memory_mb < SMALLEST_MB:
        text = f"give Milvus {SMALLEST_MB} MB (services.milvus.memory), or take qdrant or chroma"
        raise RefusedError(
            f"Milvus' budget is {memory_mb} MB: it needs {SMALLEST_MB} MB at least",
            [Change("services.milvus.memory.minimum_mb", SMALLEST_MB, text)],
        )
    memory: dict[str, Scalar] = {"memory_mb": memory_mb}
    segment = max(LEAST_SEGMENT_MB, min(MOST_SEGMENT_MB, memory_mb // 16))
    held = int(memory_mb * WATERMARK) - BASE_MB
    disk: dict[str, Scalar] = {"disk_gb": asked.disk_gb or 0}
    retention = max(LEAST_RETENTION_MB, min(MOST_RETENTION_MB, (asked.disk_gb or 0) * 1024 // 8))
    return as_they_are(
        {
            **container_limits(asked),
            "segment_mb": Explained(
                segment,
                "MB",
                f"memory / 16, {LEAST_SEGMENT_MB} to {MOST_SEGMENT_MB} MB (Milvus' own): one that is built"
                " or merged is in memory beside those that are searched",
                memory,
                _CONFIG,
            ),
            "build_parallel": Explained(
                max(1, asked.cpus // 4),
                "",
                "a quarter of its cores build indexes",
                {"cpus": asked.cpus},
                _OURS,
            ),
            "rocksmq_retention_mb": Explained(
                retention,
                "MB",
                f"an eighth of its disk, {LEAST_RETENTION_MB} to {MOST_RETENTION_MB} MB: the log of writes",
                disk,
                _OURS,
            ),
            "vectors_in_memory": Explained(
                max(0, held) * _MB // BYTES_PER_VECTOR,
                "",
                f"what fits below {WATERMARK:.0%} less {BASE_MB} MB: {DIMENSIONS} dimensions x 4 bytes x 1.5",
                memory,
                "Milvus documentation, sizing",
            ),
        }
    )
