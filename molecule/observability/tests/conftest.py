"""The scenario's machines, and who watches them."""

from __future__ import annotations

import pytest
from machines import Machines
from watched import Watched


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
