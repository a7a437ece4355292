"""Address pools of the container engine keep clear of the site."""

from __future__ import annotations

import ipaddress
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parents[2] / "plugins" / "filter"))

from networks import pool_problems

ZONES = ["10.77.10.0/24", "10.77.20.0/24"]


def test_the_default_pool_is_clear_of_the_lab() -> None:
    assert pool_problems([{"base": "172.30.0.0/16", "size": 24}], ZONES) == []


@pytest.mark.parametrize(
    ("pools", "told"),
    [
        ([{"base": "10.77.10.0/23", "size": 24}], "overlaps the site's network 10.77.10.0/24"),
        ([{"base": "10.77.20.128/25", "size": 28}], "overlaps the site's network 10.77.20.0/24"),
        ([{"base": "172.30.1.0/16", "size": 24}], "host bits"),
        ([{"base": "nonsense", "size": 24}], "'nonsense' is no network"),
        ([{"base": "172.30.0.0/16", "size": 15}], "prefix length from 16 to 30"),
        ([{"base": "172.30.0.0/16", "size": 31}], "prefix length from 16 to 30"),
        (
            [{"base": "172.30.0.0/16", "size": 24}, {"base": "172.30.9.0/24", "size": 28}],
            "overlaps the pool 172.30.0.0/16",
        ),
    ],
)
def test_a_bad_pool_is_named_with_its_rule(pools: list[dict[str, object]], told: str) -> None:
    (problem,) = pool_problems(pools, ZONES)
    assert told in problem


def test_a_bad_reserved_network_is_named() -> None:
    assert "'10.1.1.1/8' is no network" in pool_problems([], ["10.1.1.1/8"])[0]


@st.composite
def networks(draw: st.DrawFn) -> ipaddress.IPv4Network:
    number = draw(st.integers(0, 2**32 - 1))
    return ipaddress.ip_network((number, draw(st.integers(8, 28))), strict=False)  # type: ignore[return-value]


@given(networks(), networks())
def test_a_pool_is_refused_exactly_when_it_shares_an_address(
    pool: ipaddress.IPv4Network, zone: ipaddress.IPv4Network
) -> None:
    problems = pool_problems([{"base": str(pool), "size": pool.prefixlen}], [str(zone)])
    shared = max(int(pool[0]), int(zone[0])) <= min(int(pool[-1]), int(zone[-1]))
    assert bool(problems) == shared
