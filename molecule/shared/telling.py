"""A fixture that writes measured figures beside the tests' names; a scenario's conftest imports it."""

from __future__ import annotations

from collections.abc import Callable

import pytest


@pytest.fixture(scope="session")
def tell(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Writes a measured figure beside the tests' names."""
    terminal = request.config.pluginmanager.get_plugin("terminalreporter")
    capture = request.config.pluginmanager.get_plugin("capturemanager")

    def write(text: str) -> None:
        assert terminal is not None
        assert capture is not None
        with capture.global_and_fixture_disabled():
            terminal.write_line(f"  {text}")

    return write
