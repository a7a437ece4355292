"""Redis's settings: room for the copy that a save makes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rackwright.errors import RackwrightError
from rackwright.sizing.redis import size_redis

memories = st.integers(min_value=58, max_value=1_048_576)


@given(memories, st.integers(min_value=1, max_value=128))
def test_data_and_its_copy_fit_the_budget(memory_mb: int, cpus: int) -> None:
    settings = size_redis(memory_mb, cpus)
    data = settings.parameters["maxmemory"].value
    assert isinstance(data, int)
    assert data * 1.6 + 32 <= settings.worst_case_mb <= memory_mb
    assert settings.values()["maxmemory"] == f"{data}mb"


@given(memories, st.integers(min_value=1, max_value=4096))
def test_more_memory_never_holds_less(memory_mb: int, more: int) -> None:
    small = size_redis(memory_mb, 1).parameters["maxmemory"].value
    assert size_redis(memory_mb + more, 1).parameters["maxmemory"].value >= small  # type: ignore[operator]


@given(st.integers(min_value=70, max_value=1_048_576))
def test_what_copies_may_miss_is_part_of_the_budget(memory_mb: int) -> None:
    settings = size_redis(memory_mb, 1, copied=True)
    data, backlog = (int(str(settings.parameters[name].value)) for name in ("maxmemory", "repl-backlog-size"))
    assert data * 1.6 + 32 + 2 * backlog <= settings.worst_case_mb <= memory_mb
    assert settings.values()["client-output-buffer-limit"] == f"replica {2 * backlog}mb {backlog}mb 60"
    assert set(settings.parameters) > set(size_redis(memory_mb, 1).parameters)


@pytest.mark.parametrize(("cpus", "threads"), [(1, "1"), (3, "1"), (4, "2"), (64, "8")])
def test_io_threads(cpus: int, threads: str) -> None:
    assert size_redis(4096, cpus).values()["io-threads"] == threads


def test_too_small_a_budget_is_refused_with_what_is_needed() -> None:
    with pytest.raises(RackwrightError) as refused:
        size_redis(57, 1)
    assert "minimum_mb to 58" in (refused.value.hint or "")
    size_redis(58, 1)
