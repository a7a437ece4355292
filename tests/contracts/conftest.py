from pathlib import Path

import pytest

from rackwright.site.paths import repository_root

ROOT = repository_root()
ROLES = sorted(path for path in (ROOT / "roles").iterdir() if path.is_dir())


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that takes `role` runs once for each role."""
    if "role" in metafunc.fixturenames:
        metafunc.parametrize("role", ROLES, ids=[path.name for path in ROLES])


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT
