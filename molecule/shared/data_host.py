"""Fixtures of scenarios about a store of data1: the machines, and what the inventory says of that host."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from machines import SOURCES, Machines

from rackwright.site.inventory import load_inventory


@pytest.fixture(scope="session")
def machines() -> Machines:
    """All machines of the scenario."""
    return Machines()


@pytest.fixture(scope="session")
def variables() -> Mapping[str, Any]:
    """The variables of data1, secrets included; each is worked out when it is asked for."""
    return load_inventory(SOURCES).hosts["data1"].variables
