"""The machines on which the whole site stands."""

import pytest
from machines import Machines


@pytest.fixture(scope="session")
def machines() -> Machines:
    """All machines of the scenario."""
    return Machines()
