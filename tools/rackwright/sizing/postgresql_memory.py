"""How PostgreSQL's share of a host is spent, so that the worst case stays within it."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

# One memory-hungry operation per process; half of them hash, which may use hash_mem_multiplier (2.0)
# times work_mem, the other half sort: 1.5 on average.
OPERATIONS = Fraction(3, 2)
_HALVES = 3
# What a connection takes before it has done anything: process, catalogue caches, plan cache.
CONNECTION_MB = 4
# Shared memory beside the buffers (locks, statistics), enough for the descriptors of a pool of 4 GB too.
BASE_MB = 32
# The descriptors and hash entries of a larger pool: about 0.8 % of it, one part of so many.
DESCRIPTORS = 128
SMALLEST_WORK_MEM_MB = 1
# One sort never gets more than the larger of these and its connection's part of the buffers: what is left
# serves all as page cache.
USUAL_WORK_MEM_MB = 64
LARGEST_WORK_MEM_MB = 1024
LARGEST_MAINTENANCE_MB = 8192
LARGEST_AUTOVACUUM_MB = 1024
LARGEST_WAL_BUFFERS_MB = 16
_WHOLE_MB_BELOW = 16
_STEP_MB = 4
# Parts come in whole MB, autovacuum's one for each of its workers at once, so that one MB more of the share
# can leave less for the connections. Over 250 random servers that was made up for within 11 MB.
_STEPS_WITHIN_MB = 32


@dataclass(frozen=True)
class MemoryPlan:
    """What each part of the server may take, in MB.

    Attributes:
        shared_buffers: pages kept by the server.
        wal_buffers: WAL not yet written.
        maintenance: one index build or manual VACUUM.
        autovacuum: one autovacuum worker.
        workers: how many autovacuum workers there are.
        processes: connections and parallel workers, each of which may sort or hash.
        connections: connections alone.
        work: one sort.
    """

    shared_buffers: int
    wal_buffers: int
    maintenance: int
    autovacuum: int
    workers: int
    processes: int
    connections: int
    work: int

    @property
    def shared_mb(self) -> int:
        """The shared memory segment, in MB."""
        return _shared_mb(self.shared_buffers, self.wal_buffers)

    @property
    def worst_case_mb(self) -> int:
        """All parts at once, in MB, rounded up."""
        working = -(-self.processes * _HALVES * self.work // 2)
        maintaining = self.maintenance + self.workers * self.autovacuum
        return self.shared_mb + self.connections * CONNECTION_MB + working + maintaining


def _shared_mb(shared_buffers: int, wal_buffers: int) -> int:
    return shared_buffers + wal_buffers + max(BASE_MB, shared_buffers // DESCRIPTORS)


def autovacuum_workers(cpus: int) -> int:
    """Autovacuum workers: PostgreSQL's 3, and one for every four cores on larger machines, up to 8."""
    return max(3, min(8, cpus // 4))


def plan_memory(memory_mb: int, cpus: int, connections: int) -> MemoryPlan:
    """Spends `memory_mb` MB; `work` comes out under SMALLEST_WORK_MEM_MB when the connections do not fit.

    What fits into a smaller share fits into a larger one: where a part's step up would take what the
    connections need, the part stays as it was before the step.
    """
    whole = _spend(memory_mb, cpus, connections)
    needed = -(-whole.processes * _HALVES * SMALLEST_WORK_MEM_MB // 2)
    # A step leaves less than that many MB for a part, so with more lacking nothing below can fit.
    if whole.work >= SMALLEST_WORK_MEM_MB or whole.worst_case_mb + needed > memory_mb + _STEPS_WITHIN_MB:
        return whole
    for less in range(memory_mb - 1, max(0, memory_mb - _STEPS_WITHIN_MB), -1):
        plan = _spend(less, cpus, connections)
        if plan.work >= SMALLEST_WORK_MEM_MB:
            return plan
    return whole


def _spend(memory_mb: int, cpus: int, connections: int) -> MemoryPlan:
    shared_buffers = memory_mb // 4
    wal_buffers = max(1, min(LARGEST_WAL_BUFFERS_MB, shared_buffers * 3 // 100))
    maintenance = max(1, min(memory_mb // 16, LARGEST_MAINTENANCE_MB))
    autovacuum = max(1, min(maintenance // 8, LARGEST_AUTOVACUUM_MB))
    workers, processes = autovacuum_workers(cpus), connections + cpus
    shared = _shared_mb(shared_buffers, wal_buffers)
    left = memory_mb - shared - connections * CONNECTION_MB - maintenance - workers * autovacuum
    work = max(0, left) * 2 // (processes * _HALVES)
    if work >= _WHOLE_MB_BELOW:  # multiples of 4: numbers that a person can compare
        work = work // _STEP_MB * _STEP_MB
    most = max(USUAL_WORK_MEM_MB, shared_buffers // connections)
    return MemoryPlan(
        shared_buffers=shared_buffers,
        wal_buffers=wal_buffers,
        maintenance=maintenance,
        autovacuum=autovacuum,
        workers=workers,
        processes=processes,
        connections=connections,
        work=min(work, most, LARGEST_WORK_MEM_MB),
    )


def smallest_memory_mb(cpus: int, connections: int) -> int:
    """The smallest share, in MB, that gives every process SMALLEST_WORK_MEM_MB."""

    def fits(memory_mb: int) -> bool:
        return plan_memory(memory_mb, cpus, connections).work >= SMALLEST_WORK_MEM_MB

    low, high = 0, 1
    while not fits(high):
        low, high = high, high * 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if fits(middle) else (middle, high)
    return high


def most_connections(memory_mb: int, cpus: int) -> int:
    """The most connections that the share holds; 0 when it holds none."""
    low, high = 0, max(1, memory_mb // CONNECTION_MB + 1)
    while high - low > 1:
        middle = (low + high) // 2
        fits = plan_memory(memory_mb, cpus, middle).work >= SMALLEST_WORK_MEM_MB
        low, high = (middle, high) if fits else (low, middle)
    return low
