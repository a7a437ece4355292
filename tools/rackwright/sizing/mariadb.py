"""MariaDB's settings from its share of a host: the pool of InnoDB, its log, and connections."""

from __future__ import annotations

from collections.abc import Mapping

from rackwright.sizing.asked import Asked, Sized, connections_by_memory
from rackwright.sizing.explained import Explained, Scalar
from rackwright.sizing.refusal import Change, RefusedError

# The program, its dictionary and caches, the log's buffer, the key cache of Aria.
BASE_MB = 112
# A thread's stack, its network buffers, and a sort, a join and a read in their default sizes.
CONNECTION_MB = 4
# What the pool takes beside its pages: their descriptors, the hash index, locks.
POOL_OVERHEAD_PERCENT = 10
SMALLEST_POOL_MB = 48
FEWEST_CONNECTIONS, MOST_CONNECTIONS = 16, 300
SMALLEST_LOG_MB, LARGEST_LOG_MB = 48, 4096
_OURS = "docs/sizing.md, MariaDB"
_MANUAL = "MariaDB documentation, InnoDB system variables"


def size_mariadb(asked: Asked) -> Sized:
    """Derive MariaDB's settings; names are those of its configuration.

    Args:
        asked: Options: mariadb_connections.

    Raises:
        RefusedError: Less than 48 MB would be left for the pool; the hint names the share needed.
    """
    memory = asked.memory_mb
    connections = connections_by_memory(
        asked, "mariadb_connections", FEWEST_CONNECTIONS, MOST_CONNECTIONS, _OURS
    )
    taken = int(connections.value) * CONNECTION_MB
    pool = (memory - BASE_MB - taken) * 100 // (100 + POOL_OVERHEAD_PERCENT)
    if pool < SMALLEST_POOL_MB:
        enough = BASE_MB + taken + -(-SMALLEST_POOL_MB * (100 + POOL_OVERHEAD_PERCENT) // 100)
        text = f"raise services.mariadb.memory.minimum_mb to {enough}, or lower mariadb_connections"
        raise RefusedError(
            f"MariaDB's budget is {memory} MB: with {connections.value} connections it needs {enough} MB",
            [Change("services.mariadb.memory.minimum_mb", enough, text)],
        )
    inputs: dict[str, Scalar] = {
        "memory_mb": memory,
        "base_mb": BASE_MB,
        "connections": connections.value,
        "connection_mb": CONNECTION_MB,
        "overhead_percent": POOL_OVERHEAD_PERCENT,
    }
    rule = "(memory - base - connections x connection_mb) less the pool's own overhead"
    capacity, slow = (200, "a disk that turns") if asked.machine.storage == "hdd" else (2000, "flash")
    parameters = {
        "innodb_buffer_pool_size": Explained(pool, "MB", rule, inputs, _OURS),
        "max_connections": connections,
        "innodb_log_file_size": _log(pool, asked.disk_gb),
        "innodb_io_capacity": Explained(
            capacity, "", f"writes a second in the background: {slow}", {}, _MANUAL
        ),
    }
    return Sized(parameters, _values(parameters), connections=connections)


def worst_case_mb(sized: Sized) -> int:
    """Return what the server takes with all connections busy and its pool full, in MB."""
    pool = int(sized.parameters["innodb_buffer_pool_size"].value)
    connections = int(sized.parameters["max_connections"].value)
    return BASE_MB + connections * CONNECTION_MB + -(-pool * (100 + POOL_OVERHEAD_PERCENT) // 100)


def _log(pool_mb: int, disk_gb: int | None) -> Explained:
    """Half of the pool, so that a busy server seldom has to write pages for the log's sake."""
    size = min(LARGEST_LOG_MB, max(SMALLEST_LOG_MB, pool_mb // 2))
    inputs: dict[str, Scalar] = {"pool_mb": pool_mb}
    rule = f"half of the pool, {SMALLEST_LOG_MB} MB to {LARGEST_LOG_MB} MB"
    if disk_gb is not None:
        inputs["disk_gb"] = disk_gb
        rule += ", and a twentieth of its disk at most"
        size = max(SMALLEST_LOG_MB, min(size, disk_gb * 1024 // 20))
    return Explained(size, "MB", rule, inputs, _MANUAL)


def _values(parameters: Mapping[str, Explained]) -> dict[str, Scalar]:
    return {name: f"{item.value}M" if item.unit == "MB" else item.value for name, item in parameters.items()}
