"""PostgreSQL's write-ahead log, and what else of it could fill a disk."""

from __future__ import annotations

from rackwright.sizing.explained import Explained, Scalar

SMALLEST_MB = 1024
LARGEST_BY_MEMORY_MB = 4096
# The log of a disk of its own; and where the disk is shared, so that recovery ends within minutes.
LARGEST_BY_WAL_DISK_MB = 65536
LARGEST_BY_PART_MB = 16384
_SEGMENT_MB = 16
_GB_MB = 1024
_PLAN = "the deployment plan (16 GB share)"
_OURS = "docs/sizing.md, PostgreSQL"


def wal_parameters(memory_mb: int, wal_disk_gb: int | None, disk_gb: int | None) -> dict[str, Explained]:
    """WAL kept between checkpoints, and how checkpoints are spread.

    Args:
        memory_mb: PostgreSQL's share of the memory in MB.
        wal_disk_gb: Size in GB of a disk that holds the WAL alone.
        disk_gb: PostgreSQL's part in GB of the disk that holds data and WAL.
    """
    by_memory = max(SMALLEST_MB, min(LARGEST_BY_MEMORY_MB, memory_mb // 4))
    inputs: dict[str, Scalar]
    if wal_disk_gb is not None:
        largest = min(LARGEST_BY_WAL_DISK_MB, wal_disk_gb * _GB_MB // 5)
        rule, source = "a fifth of the WAL's own disk, at most 64 GB", _OURS
        inputs = {"wal_disk_gb": wal_disk_gb}
    elif disk_gb is not None:
        part_mb = disk_gb * _GB_MB
        largest = min(part_mb // 5, max(by_memory, min(LARGEST_BY_PART_MB, part_mb // 20)))
        rule = "memory / 4 (1 to 4 GB) or a twentieth of its disk (at most 16 GB), never over a fifth of it"
        inputs, source = {"memory_mb": memory_mb, "disk_gb": disk_gb}, "Pigsty's WAL by disk, docs/sizing.md"
    else:
        largest = by_memory
        rule, inputs, source = "memory / 4, 1 to 4 GB", {"memory_mb": memory_mb}, _PLAN
    largest = largest // (4 * _SEGMENT_MB) * 4 * _SEGMENT_MB
    minutes = "checkpoints are asked for by time, not by a full WAL"
    return {
        "max_wal_size": Explained(largest, "MB", f"{rule}, in 64 MB", inputs, source),
        "min_wal_size": Explained(largest // 4, "MB", "max_wal_size / 4", {"max_wal_size": largest}, source),
        "wal_compression": Explained("lz4", "", "less to write, for little work", {}, "pgtune"),
        "checkpoint_timeout": Explained(15, "min", minutes, {}, _OURS),
        "checkpoint_completion_target": Explained(0.9, "", "spread over the interval", {}, _PLAN),
    }


def disk_parameters(disk_gb: int | None) -> dict[str, Explained]:
    """Bounds on what a standby that is away, or one large sort, may take; none for an unknown disk."""
    if disk_gb is None:
        return {}
    inputs: dict[str, Scalar] = {"disk_gb": disk_gb}
    part_mb = disk_gb * _GB_MB
    return {
        "max_slot_wal_keep_size": Explained(
            part_mb * 3 // 10, "MB", "three tenths of its disk: a standby that is away", inputs, "Pigsty"
        ),
        "temp_file_limit": Explained(
            min(200 * _GB_MB, part_mb // 10), "MB", "a tenth of its disk, at most 200 GB", inputs, "Pigsty"
        ),
    }
