"""Fixtures of scenarios that keep backups: the backup host's own program, and commands of ours."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from typing import Any

import pytest
from command import given
from machines import Machines

Cli = Callable[..., subprocess.CompletedProcess[str]]
Keeper = Callable[..., Any]


@pytest.fixture(scope="session")
def keeper(machines: Machines) -> Keeper:
    """Asks the backup host's own program; returns its answer, a refusal included."""

    def asked(*words: str, data: str = "") -> Any:  # noqa: ANN401 - JSON
        out = machines.inside("ops1", f"rackwright-backup {' '.join(words)}", check=False, data=data)
        return json.loads(out.splitlines()[-1])

    return asked


@pytest.fixture(scope="session")
def cli() -> Cli:
    """Gives a command, as an operator does."""
    return given
