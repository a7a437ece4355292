"""Redis's settings from its share of a host.

A background save or a rewrite of the append-only file forks: every page written meanwhile exists twice.
So the data may take only a part of the share, or the kernel kills Redis in the middle of a save.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from rackwright.sizing.explained import Explained, Scalar
from rackwright.sizing.refusal import Change, RefusedError
from rackwright.sizing.units import redis_memory

# Process, allocator, output buffers, the append-only file's buffer, TLS sessions.
BASE_MB = 32
# Half of the data is written anew during a save, and a tenth is lost to fragmentation.
COPY_AND_FRAGMENTATION = Fraction(6, 10)
SMALLEST_DATA_MB = 16
# What a copy may have missed and still catch up with; as much again may wait for it to be sent.
SMALLEST_BACKLOG_MB = 4
_IO_THREADS_FROM_CPUS = 4
_OURS = "docs/sizing.md, Redis"


@dataclass(frozen=True)
class RedisSettings:
    """The settings and their reasons.

    Attributes:
        memory_mb: the share they were made for, in MB.
        cpus: the cores they were made for.
        parameters: the reason of each directive of redis.conf, by name.
        worst_case_mb: data, copies and base together, in MB; within memory_mb.
    """

    memory_mb: int
    cpus: int
    parameters: Mapping[str, Explained]
    worst_case_mb: int

    def values(self) -> dict[str, str]:
        """Each directive as redis.conf takes it."""
        return {
            name: redis_memory(int(item.value)) if item.unit == "MB" else f"{item.value}{item.unit}"
            for name, item in self.parameters.items()
        }


def size_redis(memory_mb: int, cpus: int, *, copied: bool = False) -> RedisSettings:
    """Derives Redis's settings from its budget.

    Args:
        memory_mb: Redis's share of the host's memory in MB.
        cpus: the cores it plans its threads for.
        copied: whether other hosts copy it, for whom it keeps what was written lately.

    Raises:
        RefusedError: when less than 16 MB would be left for data; the hint names the share needed.
    """
    factor = 1 + COPY_AND_FRAGMENTATION
    backlog = max(SMALLEST_BACKLOG_MB, memory_mb // 32) if copied else 0
    base = BASE_MB + 2 * backlog
    data = int((memory_mb - base) / factor)
    if data < SMALLEST_DATA_MB or cpus < 1:
        enough = base - int(-(SMALLEST_DATA_MB * factor) // 1)
        text = f"raise services.redis.memory.minimum_mb to {enough}"
        raise RefusedError(
            f"Redis's budget is {memory_mb} MB and {cpus} cores: it needs {enough} MB and one core at least",
            [Change("services.redis.memory.minimum_mb", enough, text)],
        )
    threads = min(8, cpus // 2) if cpus >= _IO_THREADS_FROM_CPUS else 1
    inputs: dict[str, Scalar] = {
        "memory_mb": memory_mb,
        "base_mb": base,
        "copy_and_fragmentation": float(COPY_AND_FRAGMENTATION),
    }
    parameters = {
        "maxmemory": Explained(data, "MB", "(memory - base) / (1 + copy_and_fragmentation)", inputs, _OURS),
        "maxmemory-clients": Explained(10, "%", "a tenth of maxmemory for clients' buffers", {}, _OURS),
        "io-threads": Explained(
            threads, "", "half the cores from 4 cores up, at most 8", {"cpus": cpus}, "Redis manual"
        ),
    }
    if copied:
        parameters |= _for_copies(backlog, memory_mb)
    worst = base - int(-(data * factor) // 1)
    return RedisSettings(memory_mb, cpus, parameters, worst)


def _for_copies(backlog_mb: int, memory_mb: int) -> dict[str, Explained]:
    inputs: dict[str, Scalar] = {"memory_mb": memory_mb}
    rule = (
        f"a 32nd of memory, at least {SMALLEST_BACKLOG_MB} MB: what a copy may miss and still catch up with"
    )
    limit = f"replica {2 * backlog_mb}mb {backlog_mb}mb 60"
    waits = "as much again may wait for a copy; one that is further behind begins anew"
    return {
        "repl-backlog-size": Explained(backlog_mb, "MB", rule, inputs, _OURS),
        "client-output-buffer-limit": Explained(limit, "", waits, {"backlog_mb": backlog_mb}, _OURS),
    }
