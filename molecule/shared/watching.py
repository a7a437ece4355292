"""Fixtures of scenarios whose site is watched; their conftest imports them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from machines import Machines
from watched import Watched

Query = Callable[[str], list[dict[str, Any]]]


@pytest.fixture(scope="session")
def machines() -> Machines:
    """All machines of the scenario."""
    return Machines()


@pytest.fixture(scope="session")
def watched(machines: Machines) -> Watched:
    """The site with a webhook that hears of every alert."""
    found = Watched(machines)
    found.listen()
    return found


@pytest.fixture(scope="session")
def query(watched: Watched) -> Query:
    """What the site's Prometheus answers to an expression."""
    return watched.query
