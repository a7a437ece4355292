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


def size_redis(memory_mb: int, cpus: int) -> RedisSettings:
    """Derives Redis's settings from its budget.

    Args:
        memory_mb: Redis's share of the host's memory in MB.
        cpus: the cores it plans its threads for.

    Raises:
        RefusedError: when less than 16 MB would be left for data; the hint names the share needed.
    """
    factor = 1 + COPY_AND_FRAGMENTATION
    data = int((memory_mb - BASE_MB) / factor)
    if data < SMALLEST_DATA_MB or cpus < 1:
        enough = BASE_MB - int(-(SMALLEST_DATA_MB * factor) // 1)
        text = f"raise services.redis.memory.minimum_mb to {enough}"
        raise RefusedError(
            f"Redis's budget is {memory_mb} MB and {cpus} cores: it needs {enough} MB and one core at least",
            [Change("services.redis.memory.minimum_mb", enough, text)],
        )
    threads = min(8, cpus // 2) if cpus >= _IO_THREADS_FROM_CPUS else 1
    inputs: dict[str, Scalar] = {
        "memory_mb": memory_mb,
        "base_mb": BASE_MB,
        "copy_and_fragmentation": float(COPY_AND_FRAGMENTATION),
    }
    parameters = {
        "maxmemory": Explained(data, "MB", "(memory - base) / (1 + copy_and_fragmentation)", inputs, _OURS),
        "maxmemory-clients": Explained(10, "%", "a tenth of maxmemory for clients' buffers", {}, _OURS),
        "io-threads": Explained(
            threads, "", "half the cores from 4 cores up, at most 8", {"cpus": cpus}, "Redis manual"
        ),
    }
    worst = BASE_MB - int(-(data * factor) // 1)
    return RedisSettings(memory_mb, cpus, parameters, worst)
