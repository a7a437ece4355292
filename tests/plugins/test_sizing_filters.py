"""The sizing filters: what a role hands over, and what an operator reads when it cannot be."""

from __future__ import annotations

from typing import Any, TypeAlias

import pytest
from ansible.errors import AnsibleFilterError

Value: TypeAlias = Any


@pytest.fixture(scope="module")
def filters(load: Value) -> dict[str, Value]:
    found: dict[str, Value] = load("filter", "sizing").FilterModule().filters()
    return found


def test_options_that_a_site_leaves_out_arrive_empty_and_count_as_left_out(filters: dict[str, Value]) -> None:
    budget = {"memory_mb": 4096, "cpus": 2}
    settings = filters["postgresql_settings"]
    empty = {"connections": "", "storage": "ssd", "wal_disk_gb": "", "huge_pages": True}
    assert settings(budget, **empty) == settings(budget)
    assert settings(budget, connections=50)["max_connections"] == "50"


def test_huge_pages_only_where_they_are_allowed_and_pay(filters: dict[str, Value]) -> None:
    pages = filters["postgresql_huge_pages"]
    assert pages({"memory_mb": 16384, "cpus": 4}) * 2 > 4096
    assert pages({"memory_mb": 16384, "cpus": 4}, huge_pages=False) == 0
    assert pages({"memory_mb": 1024, "cpus": 4}) == 0


@pytest.mark.parametrize(
    ("name", "wanted"), [("postgresql_settings", "give PostgreSQL"), ("redis_settings", "minimum_mb to 58")]
)
def test_a_budget_that_is_too_small_fails_with_the_way_out(
    filters: dict[str, Value], name: str, wanted: str
) -> None:
    with pytest.raises(AnsibleFilterError, match=wanted):
        filters[name]({"memory_mb": 40, "cpus": 1})
