"""PostgreSQL's settings: the plan's values, and invariants over random budgets."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from rackwright.errors import RackwrightError
from rackwright.sizing.postgresql import PostgresqlSettings, Storage, default_connections, size_postgresql

memories = st.integers(min_value=1024, max_value=1_048_576)
cores = st.integers(min_value=1, max_value=64)
storages = st.sampled_from(["ssd", "nvme", "hdd"])
budgets = st.fixed_dictionaries({"memory_mb": memories, "cpus": cores, "storage": storages})


def number(settings: PostgresqlSettings, name: str) -> float:
    value = settings.parameters[name].value
    assert isinstance(value, int | float)
    return value


def test_the_plans_values_for_a_16_gb_share() -> None:
    values = size_postgresql(16384, 8).values()
    plan = {
        "shared_buffers": "4GB",
        "effective_cache_size": "12GB",
        "maintenance_work_mem": "1GB",
        "checkpoint_completion_target": "0.9",
        "wal_buffers": "16MB",
        "default_statistics_target": "100",
        "random_page_cost": "1.1",
        "effective_io_concurrency": "200",
        "work_mem": "64MB",
        "min_wal_size": "1GB",
        "max_wal_size": "4GB",
    }
    assert {name: values[name] for name in plan} == plan


def test_the_lab() -> None:
    values = size_postgresql(1344, 2, huge_pages=False).values()
    assert values["shared_buffers"] == "336MB"
    assert values["max_connections"] == "40"
    assert values["work_mem"] == "10MB"
    assert values["huge_pages"] == "off"


@given(budgets, st.none() | st.integers(min_value=4, max_value=60))
def test_the_worst_case_stays_within_the_budget(budget: dict[str, Any], connections: int | None) -> None:
    settings = size_postgresql(**budget, connections=connections)
    assert settings.worst_case_mb <= budget["memory_mb"]
    # Recomputed from the parameters alone: no part may be forgotten.
    processes = settings.connections + number(settings, "max_parallel_workers")
    worst = (
        number(settings, "shared_buffers")
        + number(settings, "wal_buffers")
        + number(settings, "maintenance_work_mem")
        + number(settings, "autovacuum_max_workers") * number(settings, "autovacuum_work_mem")
        + Fraction(3, 2) * int(processes) * int(number(settings, "work_mem"))
    )
    assert worst <= settings.worst_case_mb


@given(budgets, st.integers(min_value=1, max_value=65536), st.integers(min_value=4, max_value=60))
def test_more_memory_never_lowers_a_setting(budget: dict[str, Any], more: int, connections: int) -> None:
    small = size_postgresql(**budget, connections=connections)
    large = size_postgresql(**{**budget, "memory_mb": budget["memory_mb"] + more}, connections=connections)
    for name, parameter in small.parameters.items():
        if parameter.unit == "MB":
            assert number(large, name) >= number(small, name), name


@given(memories, st.integers(min_value=1, max_value=65536))
def test_more_memory_never_lowers_the_connections(memory_mb: int, more: int) -> None:
    assert 20 <= default_connections(memory_mb) <= default_connections(memory_mb + more) <= 100


@given(budgets)
def test_what_postgresql_itself_demands(budget: dict[str, Any]) -> None:
    settings = size_postgresql(**budget)
    assert number(settings, "min_wal_size") <= number(settings, "max_wal_size")
    assert number(settings, "min_wal_size") >= 32  # two segments
    assert number(settings, "shared_buffers") < number(settings, "effective_cache_size")
    assert number(settings, "max_parallel_workers") <= number(settings, "max_worker_processes")
    assert number(settings, "max_parallel_workers_per_gather") <= number(settings, "max_parallel_workers")
    assert 1 <= number(settings, "wal_buffers") <= 16


@given(budgets)
def test_each_value_is_explained_and_in_postgresqls_notation(budget: dict[str, Any]) -> None:
    settings = size_postgresql(**budget)
    values = settings.values()
    for name, parameter in settings.parameters.items():
        assert parameter.rule
        assert parameter.source
        if parameter.unit == "MB":
            factor = {"MB": 1, "GB": 1024, "TB": 1024**2}[values[name][-2:]]
            assert int(values[name][:-2]) * factor == parameter.value


@given(st.integers(min_value=1, max_value=900), cores, st.integers(min_value=4, max_value=400))
def test_the_hint_names_the_smallest_share_that_works(memory_mb: int, cpus: int, connections: int) -> None:
    try:
        size_postgresql(memory_mb, cpus, connections=connections)
    except RackwrightError as error:
        enough = int((error.hint or "").split("give PostgreSQL ")[1].split(" MB")[0])
        size_postgresql(enough, cpus, connections=connections)
        with pytest.raises(RackwrightError):
            size_postgresql(enough - 1, cpus, connections=connections)
    else:
        assume(False)  # only refusals are looked at


def test_the_hint_names_the_most_connections_that_fit() -> None:
    with pytest.raises(RackwrightError) as refused:
        size_postgresql(512, 2, connections=500)
    most = int((refused.value.hint or "").split("postgresql_connections to ")[1].split(" ")[0])
    assert size_postgresql(512, 2, connections=most).connections == most
    with pytest.raises(RackwrightError):
        size_postgresql(512, 2, connections=most + 1)


def test_the_wal_disk_decides_when_it_is_known() -> None:
    assert size_postgresql(16384, 8, wal_disk_gb=100).values()["max_wal_size"] == "20GB"
    assert size_postgresql(16384, 8, wal_disk_gb=1).values()["max_wal_size"] == "192MB"
    assert size_postgresql(16384, 8, wal_disk_gb=10_000).values()["max_wal_size"] == "64GB"


@pytest.mark.parametrize(
    ("memory_mb", "allowed", "expected"), [(8191, True, "off"), (8192, True, "try"), (65536, False, "off")]
)
def test_huge_pages(memory_mb: int, allowed: bool, expected: str) -> None:
    settings = size_postgresql(memory_mb, 4, huge_pages=allowed)
    assert settings.values()["huge_pages"] == expected
    if expected == "try":
        assert settings.huge_pages * 2 >= number(settings, "shared_buffers")
        assert settings.huge_pages * 2 < memory_mb / 3
    else:
        assert settings.huge_pages == 0


@pytest.mark.parametrize(
    ("storage", "cost", "concurrency"), [("ssd", "1.1", "200"), ("nvme", "1.1", "1000"), ("hdd", "4", "2")]
)
def test_storage(storage: Storage, cost: str, concurrency: str) -> None:
    values = size_postgresql(4096, 4, storage=storage).values()
    assert (values["random_page_cost"], values["effective_io_concurrency"]) == (cost, concurrency)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"memory_mb": 0}, "budget"),
        ({"cpus": 0}, "budget"),
        ({"connections": 3}, "postgresql_connections"),
        ({"storage": "tape"}, "postgresql_storage"),
        ({"wal_disk_gb": 0}, "postgresql_wal_disk_gb"),
    ],
)
def test_nonsense_is_refused_by_name(change: dict[str, Any], named: str) -> None:
    with pytest.raises(RackwrightError) as refused:
        size_postgresql(**{"memory_mb": 4096, "cpus": 4, **change})
    assert named in refused.value.message
    assert refused.value.hint
