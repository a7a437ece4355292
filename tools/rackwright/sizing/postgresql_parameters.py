"""PostgreSQL's parameters by subject, each with its reason."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from rackwright.sizing.explained import Explained, Scalar
from rackwright.sizing.machine import Storage
from rackwright.sizing.postgresql_memory import CONNECTION_MB, OPERATIONS, MemoryPlan

__all__ = ["Storage"]

_PLAN = "the deployment plan (16 GB share)"
_MANUAL = "PostgreSQL manual"
_PEERS = "pgtune"
_OURS = "docs/sizing.md, PostgreSQL"


@dataclass(frozen=True)
class _Disk:
    """What PostgreSQL is told of a kind of disk."""

    random_page_cost: float
    effective_io_concurrency: int
    maintenance_io_concurrency: int
    vacuum_cost_limit: int


_STORAGE: Mapping[str, _Disk] = {
    "ssd": _Disk(1.1, 200, 100, 1000),
    "nvme": _Disk(1.1, 1000, 100, 2000),
    "hdd": _Disk(4.0, 2, 10, 200),
}
_PARALLEL_FROM_CPUS = 2
_LARGEST_GATHER = 4


def connection_parameters(
    memory_mb: int, connections: int, asked: int | None, needed: int
) -> dict[str, Explained]:
    """max_connections: as asked, as the clients need, or by memory, whichever comes first and is larger."""
    inputs: dict[str, Scalar]
    if asked is not None:
        rule, inputs = "as asked", {"postgresql_connections": asked}
    elif connections == needed:
        rule, inputs = "what the site's services open at most, and 15 for itself", {"needed": needed}
    else:
        rule, inputs = "one for 32 MB, in tens, 20 to 100", {"memory_mb": memory_mb}
    if needed:
        inputs["needed"] = needed
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
            "what all else leaves / ((connections + cpus) x operations), at most 64 MB, or "
            "shared_buffers / connections where that is more, and 1 GB",
            work_inputs,
            _OURS,
        ),
        "hash_mem_multiplier": Explained(2.0, "", "what `operations` counts with", {}, _MANUAL),
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


def planner_parameters(storage: Storage) -> dict[str, Explained]:
    """What the planner believes of the disk and the data."""
    disk = _STORAGE[storage]
    inputs: dict[str, Scalar] = {"storage": storage}
    short = "compiling costs more than it saves in the short statements of an application"
    return {
        "random_page_cost": Explained(
            disk.random_page_cost, "", "1.1 without a disk arm, 4 with one", inputs, _PLAN
        ),
        "effective_io_concurrency": Explained(
            disk.effective_io_concurrency, "", "hdd 2, ssd 200, nvme 1000", inputs, _PEERS
        ),
        "maintenance_io_concurrency": Explained(
            disk.maintenance_io_concurrency, "", "100; 10 with a disk arm", inputs, "Pigsty"
        ),
        "default_statistics_target": Explained(100, "", "PostgreSQL's own value", {}, _PLAN),
        "jit": Explained("off", "", short, {}, "pgtune, timescaledb-tune"),
        "default_toast_compression": Explained(
            "lz4", "", "faster than pglz at the same size", {}, "timescaledb-tune"
        ),
    }


def autovacuum_parameters(cpus: int, storage: Storage, plan: MemoryPlan) -> dict[str, Explained]:
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
        "autovacuum_vacuum_cost_limit": Explained(
            _STORAGE[storage].vacuum_cost_limit,
            "",
            "hdd 200, ssd 1000, nvme 2000: all workers together",
            {"storage": storage},
            "Pigsty",
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
