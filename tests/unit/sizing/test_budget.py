"""The host budget's invariants, over random machines and placements."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rackwright.errors import RackwrightError
from rackwright.sizing.budget import ServiceShare, host_budget, smallest_memory_mb, system_reserve_mb

memories = st.integers(min_value=1024, max_value=4_194_304)
cores = st.integers(min_value=1, max_value=512)
shares = st.builds(
    ServiceShare,
    weight=st.integers(min_value=1, max_value=20),
    minimum_mb=st.integers(min_value=1, max_value=160),
)
placements = st.dictionaries(st.sampled_from("abcde"), shares, min_size=1, max_size=5)


@given(memories, cores, placements)
def test_services_and_reserve_fit_the_machine(
    memory_mb: int, cpus: int, services: dict[str, ServiceShare]
) -> None:
    budget = host_budget(memory_mb, cpus, services)
    handed_out = sum(share.memory_mb for share in budget.services.values())
    assert handed_out + budget.reserve_mb <= memory_mb
    # Only rounding may be lost: less than one MB per service.
    assert handed_out + budget.reserve_mb > memory_mb - len(services)


@given(memories, cores, placements)
def test_minimums_and_cores_are_honoured(
    memory_mb: int, cpus: int, services: dict[str, ServiceShare]
) -> None:
    for name, share in host_budget(memory_mb, cpus, services).services.items():
        assert share.memory_mb >= services[name].minimum_mb
        assert 1 <= share.cpus <= cpus


@given(memories, st.integers(min_value=1, max_value=65536), cores, placements)
def test_more_memory_never_takes_from_a_service(
    memory_mb: int, more: int, cpus: int, services: dict[str, ServiceShare]
) -> None:
    small = host_budget(memory_mb, cpus, services)
    large = host_budget(memory_mb + more, cpus, services)
    for name in services:
        assert large.services[name].memory_mb >= small.services[name].memory_mb


@given(memories, cores, placements)
def test_a_heavier_service_never_gets_less(
    memory_mb: int, cpus: int, services: dict[str, ServiceShare]
) -> None:
    budget = host_budget(memory_mb, cpus, services).services
    for one, asked in services.items():
        for other, asked_too in services.items():
            if asked.weight >= asked_too.weight and asked.minimum_mb >= asked_too.minimum_mb:
                assert budget[one].memory_mb >= budget[other].memory_mb


@given(st.integers(min_value=256, max_value=1_000_000))
def test_reserve_never_shrinks_what_is_left(memory_mb: int) -> None:
    left = memory_mb - system_reserve_mb(memory_mb)
    assert left <= memory_mb + 1 - system_reserve_mb(memory_mb + 1)


@given(st.integers(min_value=100, max_value=1_000_000))
def test_the_named_change_is_the_smallest_that_works(wanted: int) -> None:
    services = {"a": ServiceShare(1, wanted)}
    enough = smallest_memory_mb(wanted)
    assert host_budget(enough, 1, services).services["a"].memory_mb >= wanted
    if enough > 256:
        with pytest.raises(RackwrightError):
            host_budget(enough - 1, 1, services)


@given(memories, cores, placements)
def test_every_number_is_explained(memory_mb: int, cpus: int, services: dict[str, ServiceShare]) -> None:
    budget = host_budget(memory_mb, cpus, services)
    assert budget.explanation["reserve_mb"].value == budget.reserve_mb
    for share in budget.services.values():
        assert share.explanation["memory_mb"].value == share.memory_mb
        assert share.explanation["cpus"].value == share.cpus


def test_the_lab_data_host() -> None:
    budget = host_budget(2048, 2, {"postgresql": ServiceShare(6, 256), "redis": ServiceShare(2, 128)})
    assert budget.as_dict() == {
        "memory_mb": 2048,
        "reserve_mb": 256,
        "cpus": 2,
        "services": {
            "postgresql": {"memory_mb": 1344, "cpus": 2},
            "redis": {"memory_mb": 448, "cpus": 1},
        },
    }


@pytest.mark.parametrize(("memory_mb", "reserve"), [(512, 192), (2048, 256), (4096, 512), (16384, 1638)])
def test_reserve(memory_mb: int, reserve: int) -> None:
    assert system_reserve_mb(memory_mb) == reserve


def test_refusal_names_what_would_work() -> None:
    services = {"postgresql": ServiceShare(6, 900), "redis": ServiceShare(2, 128)}
    with pytest.raises(RackwrightError) as refused:
        host_budget(1024, 1, services)
    assert "196 MB too few" in refused.value.message
    hint = refused.value.hint or ""
    assert f"give it {smallest_memory_mb(1028)} MB" in hint
    assert "move postgresql (900 MB)" in hint
    # redis alone would not free enough, so it is not proposed
    assert "move redis" not in hint


@pytest.mark.parametrize(
    ("memory_mb", "cpus", "share", "named"),
    [
        (100, 1, ServiceShare(1, 1), "host_memory_mb"),
        (1024, 0, ServiceShare(1, 1), "host_cpus"),
        (1024, 1, ServiceShare(0, 1), "services.a.memory.weight"),
        (1024, 1, ServiceShare(1, 0), "services.a.memory.minimum_mb"),
    ],
)
def test_nonsense_is_refused_by_name(memory_mb: int, cpus: int, share: ServiceShare, named: str) -> None:
    with pytest.raises(RackwrightError) as refused:
        host_budget(memory_mb, cpus, {"a": share})
    assert named in refused.value.message
    assert refused.value.hint
