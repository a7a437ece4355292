"""PostgreSQL's parameters by subject, each with its reason."""

from __future__ import annotations

from typing import Literal

from rackwright.sizing.explained import Explained, Scalar
from rackwright.sizing.postgresql_memory import CONNECTION_MB, OPERATIONS, MemoryPlan

Storage = Literal["ssd", "nvme", "hdd"]

_PLAN = "the deployment plan (16 GB share)"
_MANUAL = "PostgreSQL manual"
_PEERS = "pgtune"
_OURS = "docs/sizing.md, PostgreSQL"
# By kind of disk: random_page_cost, effective_io_concurrency.
_STORAGE: dict[str, tuple[float, int]] = {"ssd": (1.1, 200), "nvme": (1.1, 1000), "hdd": (4.0, 2)}
_PARALLEL_FROM_CPUS = 2
_LARGEST_GATHER = 4
_SMALLEST_WAL_MB = 1024
_LARGEST_WAL_MB = 4096
_LARGEST_WAL_BY_DISK_MB = 65536
_WAL_SEGMENT_MB = 16


def connection_parameters(memory_mb: int, connections: int, sized: bool) -> dict[str, Explained]:
    """max_connections, given or sized."""
    inputs: dict[str, Scalar] = {"memory_mb": memory_mb} if sized else {"postgresql_connections": connections}
    rule = "one for 32 MB, in tens, 20 to 100" if sized else "as asked"
    return {"max_connections": Explained(connections, "", rule, inputs, _OURS)}


def memory_parameters(memory_mb: int, cpus: int, plan: MemoryPlan) -> dict[str, Explained]:
    """Buffers, sorts and maintenance."""
    memory: dict[str, Scalar] = {"memory_mb": memory_mb}
    work_inputs: dict[str, Scalar] = {
        **memory,
        "connections": plan.connections,
        "cpus": cpus,
        "operations": float(OPERATIONS),
        "connection_mb": CONNECTION_MB,
        "worst_case_mb": plan.worst_case_mb,
    }
    return {
        "shared_buffers": Explained(plan.shared_buffers, "MB", "memory / 4", memory, _PLAN),
        "effective_cache_size": Explained(memory_mb * 3 // 4, "MB", "memory x 3 / 4", memory, _PLAN),
        "work_mem": Explained(
            plan.work,
            "MB",
            "what all else leaves / ((connections + cpus) x operations), at most 2 GB",
            work_inputs,
            _OURS,
        ),
        "maintenance_work_mem": Explained(plan.maintenance, "MB", "memory / 16, at most 8 GB", memory, _PLAN),
        "wal_buffers": Explained(
            plan.wal_buffers,
            "MB",
            "3 % of shared_buffers, 1 to 16 MB",
            {"shared_buffers": plan.shared_buffers},
            _MANUAL,
        ),
    }


def worker_parameters(cpus: int) -> dict[str, Explained]:
    """Background and parallel workers."""
    inputs: dict[str, Scalar] = {"cpus": cpus}
    gather = min(_LARGEST_GATHER, -(-cpus // 2)) if cpus >= _PARALLEL_FROM_CPUS else 0
    gather_rule = "half the cores, rounded up, at most 4; none on one core"
    return {
        "max_worker_processes": Explained(
            max(8, cpus + 4), "", "cpus + 4 for extensions and replication, at least 8", inputs, _OURS
        ),
        "max_parallel_workers": Explained(cpus, "", "one per core", inputs, _PEERS),
        "max_parallel_workers_per_gather": Explained(gather, "", gather_rule, inputs, _PEERS),
        "max_parallel_maintenance_workers": Explained(gather, "", gather_rule, inputs, _PEERS),
    }


def wal_parameters(memory_mb: int, wal_disk_gb: int | None) -> dict[str, Explained]:
    """WAL kept between checkpoints, and how checkpoints are spread."""
    inputs: dict[str, Scalar]
    if wal_disk_gb is None:
        largest = max(_SMALLEST_WAL_MB, min(_LARGEST_WAL_MB, memory_mb // 4))
        rule, inputs, source = "memory / 4, 1 to 4 GB", {"memory_mb": memory_mb}, _PLAN
    else:
        largest = min(_LARGEST_WAL_BY_DISK_MB, wal_disk_gb * 1024 // 5)
        rule, inputs, source = "a fifth of the WAL's disk, at most 64 GB", {"wal_disk_gb": wal_disk_gb}, _OURS
    largest = largest // (4 * _WAL_SEGMENT_MB) * 4 * _WAL_SEGMENT_MB
    minutes = "checkpoints are asked for by time, not by a full WAL"
    return {
        "max_wal_size": Explained(largest, "MB", f"{rule}, in 64 MB", inputs, source),
        "min_wal_size": Explained(largest // 4, "MB", "max_wal_size / 4", {"max_wal_size": largest}, source),
        "checkpoint_timeout": Explained(15, "min", minutes, {}, _OURS),
        "checkpoint_completion_target": Explained(0.9, "", "spread over the interval", {}, _PLAN),
    }


def planner_parameters(storage: Storage) -> dict[str, Explained]:
    """What the planner believes of the disk and the data."""
    cost, concurrency = _STORAGE[storage]
    inputs: dict[str, Scalar] = {"storage": storage}
    return {
        "random_page_cost": Explained(cost, "", "1.1 without a disk arm, 4 with one", inputs, _PLAN),
        "effective_io_concurrency": Explained(concurrency, "", "hdd 2, ssd 200, nvme 1000", inputs, _PEERS),
        "default_statistics_target": Explained(100, "", "PostgreSQL's own value", {}, _PLAN),
    }


def autovacuum_parameters(cpus: int, plan: MemoryPlan) -> dict[str, Explained]:
    """Autovacuum that keeps up with large tables, inside the budget."""
    return {
        "autovacuum_max_workers": Explained(
            plan.workers, "", "one for four cores, 3 to 8", {"cpus": cpus}, _OURS
        ),
        "autovacuum_work_mem": Explained(
            plan.autovacuum,
            "MB",
            "maintenance_work_mem / 8, at most 1 GB",
            {"maintenance_work_mem": plan.maintenance},
            _OURS,
        ),
        "autovacuum_vacuum_scale_factor": Explained(
            0.05, "", "vacuum after 5 % of a table changed", {}, _OURS
        ),
        "autovacuum_analyze_scale_factor": Explained(
            0.02, "", "analyse after 2 % of a table changed", {}, _OURS
        ),
    }


def huge_page_parameters(used: bool, plan: MemoryPlan, from_mb: int) -> dict[str, Explained]:
    """Huge pages: tried where they pay, so that a host without them still starts."""
    inputs: dict[str, Scalar] = {"shared_buffers": plan.shared_buffers}
    rule = f"tried from {from_mb} MB of shared_buffers, off below and in containers"
    return {"huge_pages": Explained("try" if used else "off", "", rule, inputs, _PEERS)}
