"""Fixtures of scenarios whose site is watched; their conftest imports them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from machines import Machines
from telling import tell
from watched import Watched

__all__ = ["Query", "machines", "query", "tell", "watched"]
Query = Callable[[str], list[dict[str, Any]]]


@pytest.fixture(scope="session")
def machines() -> Machines:
    """All machines of the scenario."""
    return Machines()


@pytest.fixture(scope="session")
def watched(machines: Machines, tell: Callable[[str], None]) -> Watched:
    """The site with a webhook that hears of every alert."""
    found = Watched(machines, tell)
    found.listen()
    return found


@pytest.fixture(scope="session")
def query(watched: Watched) -> Query:
    """What the site's Prometheus answers to an expression."""
    return watched.query
