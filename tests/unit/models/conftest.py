import pytest

from rackwright.models.catalogue import project_models
from rackwright.models.model import Models


@pytest.fixture(scope="session")
def models() -> Models:
    return project_models()
