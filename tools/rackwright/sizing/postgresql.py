"""PostgreSQL's settings from its share of a host: memory, cores, storage, connections, WAL disk.

The share is all that PostgreSQL gets: what shared buffers, every connection, the parallel workers, one
maintenance command and all autovacuum workers can take together stays within it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import get_args

from rackwright.sizing import postgresql_parameters as parameters_by_subject
from rackwright.sizing import postgresql_wal as wal
from rackwright.sizing.explained import Explained
from rackwright.sizing.postgresql_memory import (
    SMALLEST_WORK_MEM_MB,
    most_connections,
    plan_memory,
    smallest_memory_mb,
)
from rackwright.sizing.postgresql_parameters import Storage
from rackwright.sizing.refusal import Change, RefusedError
from rackwright.sizing.units import postgresql_memory

__all__ = ["PostgresqlSettings", "Storage", "default_connections", "size_postgresql"]

HUGE_PAGES_FROM_MB = 2048
HUGE_PAGE_MB = 2
# superuser_reserved_connections is 3, and one is left to work with.
SMALLEST_CONNECTIONS = 4
SMALLEST_DEFAULT_CONNECTIONS = 20


@dataclass(frozen=True)
class PostgresqlSettings:
    """The settings and their reasons.

    Attributes:
        memory_mb: the share they were made for, in MB.
        cpus: the cores they were made for.
        connections: max_connections.
        storage: the kind of disk they were made for.
        parameters: the reason of each parameter of postgresql.conf, by name.
        worst_case_mb: the most memory that the settings let the server take, in MB; within memory_mb.
        huge_pages: how many 2 MB pages hold the shared memory; 0 where huge pages do not pay.
    """

    memory_mb: int
    cpus: int
    connections: int
    storage: Storage
    parameters: Mapping[str, Explained]
    worst_case_mb: int
    huge_pages: int

    def values(self) -> dict[str, str]:
        """Each parameter as `SHOW` prints it on the running server."""
        return {name: _render(parameter) for name, parameter in self.parameters.items()}


def default_connections(memory_mb: int) -> int:
    """Connections when nobody says how many: one for 32 MB of the share, in tens, from 20 to 100."""
    return max(SMALLEST_DEFAULT_CONNECTIONS, min(100, memory_mb // 320 * 10))


def _fitting_connections(memory_mb: int, cpus: int) -> int:
    """The default, or, where very many cores leave less for connections, the tens that fit; at least 20."""
    wanted = default_connections(memory_mb)
    if plan_memory(memory_mb, cpus, wanted).work >= SMALLEST_WORK_MEM_MB:
        return wanted
    return max(SMALLEST_DEFAULT_CONNECTIONS, most_connections(memory_mb, cpus) // 10 * 10)


def size_postgresql(
    memory_mb: int,
    cpus: int,
    *,
    connections: int | None = None,
    needed_connections: int = 0,
    storage: Storage = "ssd",
    wal_disk_gb: int | None = None,
    disk_gb: int | None = None,
    huge_pages: bool = True,
) -> PostgresqlSettings:
    """Derives PostgreSQL's settings from its budget.

    Args:
        memory_mb: PostgreSQL's share of the host's memory in MB.
        cpus: the cores it plans its workers for.
        connections: connections to allow; by memory when None.
        needed_connections: what its clients open at most, its own reserve included; fewer are refused.
        storage: the kind of disk under the data directory.
        wal_disk_gb: size in GB of the disk that holds pg_wal alone, when the WAL should be sized by it.
        disk_gb: its part in GB of the disk that holds its data and its WAL, where that is known.
        huge_pages: whether the host may use huge pages (a container may not).

    Raises:
        RefusedError: for nonsense, or when the connections do not fit the share; names the smallest change
            that would work.
    """
    by_memory = _fitting_connections(memory_mb, cpus)
    count = max(by_memory, needed_connections) if connections is None else connections
    _check(memory_mb, cpus, count, storage, wal_disk_gb)
    if count < needed_connections:
        raise RefusedError(
            f"postgresql_connections is {count}: the site's services open {needed_connections} at most, what "
            "PostgreSQL keeps for itself included",
            [_connections_change(needed_connections, "set postgresql_connections to {} or more")],
        )
    plan = plan_memory(memory_mb, cpus, count)
    if plan.work < SMALLEST_WORK_MEM_MB:
        raise _too_small(memory_mb, cpus, count)
    use_huge_pages = huge_pages and plan.shared_buffers >= HUGE_PAGES_FROM_MB
    subject = parameters_by_subject
    return PostgresqlSettings(
        memory_mb=memory_mb,
        cpus=cpus,
        connections=count,
        storage=storage,
        parameters={
            **subject.connection_parameters(memory_mb, count, connections, needed_connections),
            **subject.memory_parameters(memory_mb, cpus, plan),
            **subject.worker_parameters(cpus),
            **wal.wal_parameters(memory_mb, wal_disk_gb, disk_gb),
            **wal.disk_parameters(disk_gb),
            **subject.planner_parameters(storage),
            **subject.autovacuum_parameters(cpus, storage, plan),
            **subject.huge_page_parameters(use_huge_pages, plan, HUGE_PAGES_FROM_MB),
        },
        worst_case_mb=plan.worst_case_mb,
        huge_pages=-(-plan.shared_mb // HUGE_PAGE_MB) if use_huge_pages else 0,
    )


def _check(memory_mb: int, cpus: int, connections: int, storage: str, wal_disk_gb: int | None) -> None:
    if memory_mb < 1 or cpus < 1:
        raise RefusedError(
            f"PostgreSQL's budget is {memory_mb} MB and {cpus} cores: both must be 1 or more",
            [Change("host_memory_mb", 1, "see `rackwright size --explain` for how the host is shared out")],
        )
    if connections < SMALLEST_CONNECTIONS:
        raise RefusedError(
            f"postgresql_connections is {connections}: PostgreSQL keeps 3 for its superuser, so it must be "
            f"{SMALLEST_CONNECTIONS} or more",
            [_connections_change(SMALLEST_CONNECTIONS, "write {} or more, or leave it out to have it sized")],
        )
    if storage not in get_args(Storage):
        text = "leave it out to have it read from the data disk"
        raise RefusedError(
            f"postgresql_storage is {storage!r}: it must be one of {', '.join(get_args(Storage))}",
            [Change("postgresql_storage", "ssd", text)],
        )
    if wal_disk_gb is not None and wal_disk_gb < 1:
        text = "write the size in GB of the disk that holds pg_wal, or leave it out"
        raise RefusedError(
            f"postgresql_wal_disk_gb is {wal_disk_gb}: it must be 1 or more",
            [Change("postgresql_wal_disk_gb", 1, text)],
        )


def _connections_change(connections: int, text: str) -> Change:
    return Change("postgresql_connections", connections, text.format(connections))


def _too_small(memory_mb: int, cpus: int, connections: int) -> RefusedError:
    enough = smallest_memory_mb(cpus, connections)
    changes = [
        Change(
            "services.postgresql.memory.minimum_mb",
            enough,
            f"give PostgreSQL {enough} MB (services.postgresql.memory)",
        )
    ]
    most = most_connections(memory_mb, cpus)
    if most >= SMALLEST_CONNECTIONS:
        changes.append(_connections_change(most, "set postgresql_connections to {} at most"))
    return RefusedError(
        f"PostgreSQL's {memory_mb} MB are too few for {connections} connections on {cpus} cores: less than "
        f"{SMALLEST_WORK_MEM_MB} MB of work_mem would be left for each",
        changes,
    )


def _render(parameter: Explained) -> str:
    if parameter.unit == "MB":
        return postgresql_memory(int(parameter.value))
    if isinstance(parameter.value, float):
        return f"{parameter.value:g}{parameter.unit}"
    return f"{parameter.value}{parameter.unit}"
