"""PostgreSQL that owns its machine lies within the span of pgtune, Pigsty and timescaledb-tune.

The peers' formulas are written down here as their sources have them: pgtune's configurationSlice, Pigsty's
oltp template, timescaledb-tune's pkg/pgtune. Where a value leaves the span, docs/sizing.md says why.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import pytest

from rackwright.sizing.postgresql import PostgresqlSettings, size_postgresql

GB = 1024
MEMORIES = [2 * GB, 4 * GB, 8 * GB, 16 * GB, 32 * GB, 64 * GB, 128 * GB, 256 * GB, 512 * GB, 1024 * GB]
CORES = [1, 2, 4, 8, 16, 32, 64, 128]
DISK_GB = 2000
CONNECTIONS = 100


@dataclass(frozen=True)
class Span:
    """The least and the most that a peer takes; bounds are included."""

    least: float
    most: float


def span(*values: float) -> Span:
    return Span(min(values), max(values))


def clamp(value: float, least: float, most: float) -> float:
    return max(least, min(most, value))


def peers(memory: int, cores: int) -> dict[str, Span]:
    """What the three take of a machine of `memory` MB, in MB and numbers, with the same connections.

    timescaledb-tune says nothing of one core's workers, pgtune nothing under four: PostgreSQL's own values
    then.
    """
    quarter = memory / 4
    pigsty_work = clamp(math.floor(quarter / CONNECTIONS), 64, 1024)
    workers = cores if cores >= 4 else 8
    pgtune_work = max(4.0, (memory - quarter) / ((CONNECTIONS + workers) * 3))
    timescale_work = memory / GB * 400 / CONNECTIONS / max(1, round(cores / 2))
    pigsty_wal = clamp(math.ceil(DISK_GB / 20), 1, 100) * GB
    pigsty_gather = clamp(math.floor(cores * 0.2), 2, 8)
    return {
        "shared_buffers": span(quarter, math.ceil(quarter)),
        "effective_cache_size": span(memory * 3 / 4, memory - math.ceil(quarter)),
        "maintenance_work_mem": span(
            min(memory / 16, 8 * GB), math.ceil(quarter * 0.25), min(memory / GB * 128, 2047)
        ),
        "work_mem": span(pgtune_work, pgtune_work / 2, pigsty_work, timescale_work),
        "wal_buffers": span(16, 14, 3 * quarter / 100 if quarter * 0.03 < 14 else 16),
        "max_wal_size": span(4 * GB, 16 * GB, pigsty_wal * 4, DISK_GB * 0.6 * GB, 1 * GB),
        "min_wal_size": span(1 * GB, 4 * GB, pigsty_wal, DISK_GB * 0.3 * GB, 512),
        "random_page_cost": span(1.1),
        "effective_io_concurrency": span(200, 256),
        "maintenance_io_concurrency": span(10, 100),
        "default_statistics_target": span(100, 400),
        "checkpoint_completion_target": span(0.8, 0.9),
        "max_worker_processes": span(workers, max(cores + 8, 16) + 8, 3 + 16 + cores),
        "max_parallel_workers": span(
            cores if cores >= 4 else 8, max(math.ceil(cores * 0.5), 2), cores if cores > 1 else 8
        ),
        "max_parallel_workers_per_gather": span(
            min(4, math.ceil(cores / 2)) if cores >= 4 else 2,
            pigsty_gather,
            round(cores / 2) if cores > 1 else 2,
        ),
        "max_parallel_maintenance_workers": span(
            min(4, math.ceil(cores / 2)) if cores >= 4 else 2, max(math.ceil(cores * 0.33), 2)
        ),
        "autovacuum_max_workers": span(3, 5, 10),
        "autovacuum_vacuum_scale_factor": span(0.08, 0.2, 0.05),
        "autovacuum_analyze_scale_factor": span(0.04, 0.1, 0.02),
        "checkpoint_timeout": span(5, 15),
        "max_slot_wal_keep_size": span(pigsty_wal * 6),
        "temp_file_limit": span(pigsty_wal, 200 * GB),
    }


def outside(settings: PostgresqlSettings, memory: int, cores: int) -> set[str]:
    """The parameters that leave the span; a step of 4 MB or 2 % is rounding."""
    found = set()
    for name, allowed in peers(memory, cores).items():
        value = settings.parameters[name].value
        assert isinstance(value, int | float), name
        slack = max(4, 0.02 * allowed.most) if settings.parameters[name].unit == "MB" else 0
        if not allowed.least - slack <= value <= allowed.most + slack:
            found.add(name)
    return found


def explained(cores: int) -> set[str]:
    """What docs/sizing.md explains: small machines have fewer workers than PostgreSQL's defaults pretend."""
    away = set()
    if cores == 1:
        # A second process on the one core only takes it from the first.
        away |= {
            "max_parallel_workers",
            "max_parallel_workers_per_gather",
            "max_parallel_maintenance_workers",
        }
    if cores == 2:
        away |= {"max_parallel_workers_per_gather", "max_parallel_maintenance_workers"}
    return away


@pytest.mark.parametrize("cores", CORES)
@pytest.mark.parametrize("memory", MEMORIES)
def test_a_machine_of_its_own_gets_what_the_peers_would_give(memory: int, cores: int) -> None:
    settings = size_postgresql(memory, cores, connections=CONNECTIONS, disk_gb=DISK_GB)
    assert outside(settings, memory, cores) - explained(cores) == set()


@pytest.mark.parametrize("name", ["shared_buffers", "work_mem", "maintenance_work_mem"])
def test_the_span_is_narrow_enough_to_fail(name: str) -> None:
    """Half and double of what we take would be noticed on one of the machines, at least."""
    for factor in (0.4, 2.5):
        noticed = False
        for memory in MEMORIES:
            settings = size_postgresql(memory, 8, connections=CONNECTIONS, disk_gb=DISK_GB)
            allowed = peers(memory, 8)[name]
            value = float(settings.parameters[name].value) * factor
            noticed = noticed or not allowed.least <= value <= allowed.most
        assert noticed, (name, factor)


@pytest.mark.parametrize("memory", MEMORIES)
def test_on_a_shared_machine_it_shrinks(memory: int) -> None:
    alone = size_postgresql(memory, 8, connections=CONNECTIONS)
    shared = size_postgresql(memory * 3 // 4, 6, connections=CONNECTIONS)
    for name in ("shared_buffers", "effective_cache_size", "maintenance_work_mem", "work_mem"):
        smaller, larger = shared.parameters[name].value, alone.parameters[name].value
        assert float(smaller) <= float(larger), name
    assert float(shared.parameters["shared_buffers"].value) < float(alone.parameters["shared_buffers"].value)
    assert shared.worst_case_mb <= memory * 3 // 4
