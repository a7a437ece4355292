"""Qdrant: what it keeps in memory, and how many threads search it."""

from __future__ import annotations

from rackwright.sizing.asked import Asked, Sized, as_they_are
from rackwright.sizing.containers import container_limits
from rackwright.sizing.explained import Explained, Scalar
from rackwright.sizing.refusal import Change, RefusedError

SMALLEST_MB = 256
# The plan's values hold from this share on; below, what waits in memory shrinks with it.
PLAN_FROM_MB = 2048
PLAN_WAL_MB = 256
LEAST_WAL_MB = 32
PLAN_MEMMAP_KB = 50_000
LEAST_MEMMAP_KB = 1_000
LEAST_SEGMENTS, MOST_SEGMENTS = 2, 8
# The embedding model's vectors (bge-m3), 4 bytes each, and half as much again for the graph.
DIMENSIONS = 1024
BYTES_PER_VECTOR = DIMENSIONS * 4 * 3 // 2
_PLAN = "the deployment plan, Qdrant"
_CONFIG = "Qdrant's commented configuration"
_OURS = "docs/sizing.md, Qdrant"
_MB = 1024**2


def size_qdrant(asked: Asked) -> Sized:
    """Derive Qdrant's numbers, in the units of its configuration file.

    Raises:
        RefusedError: Less than 256 MB.
    """
    memory_mb = asked.memory_mb
    if memory_mb < SMALLEST_MB:
        text = f"give Qdrant {SMALLEST_MB} MB (services.qdrant.memory)"
        raise RefusedError(
            f"Qdrant's budget is {memory_mb} MB: it needs {SMALLEST_MB} MB at least",
            [Change("services.qdrant.memory.minimum_mb", SMALLEST_MB, text)],
        )
    threads = max(1, asked.cpus - 1)
    segments = max(LEAST_SEGMENTS, min(MOST_SEGMENTS, threads))
    wal = min(PLAN_WAL_MB, max(LEAST_WAL_MB, memory_mb // 8))
    memmap = min(PLAN_MEMMAP_KB, max(LEAST_MEMMAP_KB, memory_mb * 1024 // (8 * segments)))
    memory: dict[str, Scalar] = {"memory_mb": memory_mb}
    cpus: dict[str, Scalar] = {"cpus": asked.cpus}
    return as_they_are(
        {
            **container_limits(asked),
            "max_search_threads": Explained(
                threads, "", "all but one of its cores: writes go on during a search", cpus, _CONFIG
            ),
            "optimizer_cpu_budget": Explained(
                max(1, asked.cpus // 2), "", "half of its cores, for building indexes", cpus, _OURS
            ),
            "default_segment_number": Explained(
                segments,
                "",
                f"one per search thread, {LEAST_SEGMENTS} to {MOST_SEGMENTS}; the plan's 4 with 5 cores",
                {"max_search_threads": threads},
                _CONFIG,
            ),
            "wal_capacity_mb": Explained(
                wal, "MB", f"memory / 8, {LEAST_WAL_MB} to {PLAN_WAL_MB} MB", memory, _PLAN
            ),
            "memmap_threshold_kb": Explained(
                memmap,
                "kB",
                f"an eighth of the memory over the segments, at most {PLAN_MEMMAP_KB}",
                {**memory, "segments": segments},
                _PLAN,
            ),
            "max_segment_size_kb": Explained(200_000, "kB", "larger ones index too long", {}, _PLAN),
            "indexing_threshold_kb": Explained(20_000, "kB", "below it a scan is as fast", {}, _PLAN),
            "flush_interval_sec": Explained(5, "s", "what a crash of the host may lose", {}, _PLAN),
            "hnsw_m": Explained(16, "", "edges of a node", {}, _PLAN),
            "hnsw_ef_construct": Explained(100, "", "neighbours looked at when building", {}, _PLAN),
            "full_scan_threshold_kb": Explained(10_000, "kB", "below it a search reads all", {}, _PLAN),
            "on_disk_payload": Explained(True, "", "texts stay on disk, vectors in memory", {}, _CONFIG),
            "vectors_in_memory": Explained(
                max(0, memory_mb - wal) * _MB // BYTES_PER_VECTOR,
                "",
                f"what fits: {DIMENSIONS} dimensions x 4 bytes x 1.5; more are read from disk",
                memory,
                "Qdrant documentation, capacity planning",
            ),
        }
    )
