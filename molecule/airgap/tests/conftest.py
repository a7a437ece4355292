"""The machines of a site with no way out."""

import pytest
from machines import Machines


@pytest.fixture(scope="session")
def machines() -> Machines:
    """All machines of the scenario."""
    return Machines()
