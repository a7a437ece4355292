"""MongoDB's settings from its share of a host: its cache and connections."""

from __future__ import annotations

from rackwright.sizing.asked import Asked, Sized, as_they_are, connections_by_memory
from rackwright.sizing.containers import container_limits
from rackwright.sizing.explained import Explained, Scalar
from rackwright.sizing.refusal import Change, RefusedError

# The program, its catalog, what it collects of itself; and a sort or an aggregation on top.
BASE_MB = 256
# A thread's stack.
CONNECTION_MB = 1
# Pages are held uncompressed, and their allocator keeps a part of what they gave back.
CACHE_OVERHEAD_PERCENT = 25
# The server takes no smaller one.
SMALLEST_CACHE_MB = 256
FEWEST_CONNECTIONS, MOST_CONNECTIONS = 32, 1000
_OURS = "docs/sizing.md, MongoDB"
_MANUAL = "MongoDB manual, storage.wiredTiger.engineConfig.cacheSizeGB"


def size_mongodb(asked: Asked) -> Sized:
    """Derive MongoDB's numbers; the cache in GB, as its configuration takes it.

    Args:
        asked: Options: mongodb_connections.

    Raises:
        RefusedError: Less than 256 MB would be left for the cache; the hint names the share needed.
    """
    memory = asked.memory_mb
    connections = connections_by_memory(
        asked, "mongodb_connections", FEWEST_CONNECTIONS, MOST_CONNECTIONS, _OURS
    )
    taken = BASE_MB + int(connections.value) * CONNECTION_MB
    cache = (memory - taken) * 100 // (100 + CACHE_OVERHEAD_PERCENT)
    if cache < SMALLEST_CACHE_MB:
        enough = taken + SMALLEST_CACHE_MB * (100 + CACHE_OVERHEAD_PERCENT) // 100
        text = f"raise services.mongodb.memory.minimum_mb to {enough}, or lower mongodb_connections"
        raise RefusedError(
            f"MongoDB's budget is {memory} MB: with {connections.value} connections it needs {enough} MB",
            [Change("services.mongodb.memory.minimum_mb", enough, text)],
        )
    inputs: dict[str, Scalar] = {
        "memory_mb": memory,
        "base_mb": BASE_MB,
        "connections": connections.value,
        "connection_mb": CONNECTION_MB,
        "overhead_percent": CACHE_OVERHEAD_PERCENT,
    }
    rule = "(memory - base - connections x connection_mb) less the cache's own overhead"
    # Down to a hundredth, and never below what the server takes.
    cache_gb = max(SMALLEST_CACHE_MB / 1024, cache * 100 // 1024 / 100)
    return as_they_are(
        {
            **container_limits(asked),
            "cache_gb": Explained(cache_gb, "GB", rule, inputs, _MANUAL),
            "connections": connections,
        }
    )


def worst_case_mb(sized: Sized) -> float:
    """Return what the server takes with all connections there and its cache full, in MB."""
    cache = float(sized.parameters["cache_gb"].value) * 1024
    connections = int(sized.parameters["connections"].value)
    return BASE_MB + connections * CONNECTION_MB + cache * (100 + CACHE_OVERHEAD_PERCENT) / 100
