"""The scenario's only machine."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from over_ssh import over_ssh
from testinfra.host import Host

from rackwright.site.inventory import load_inventory

SOURCES = [Path(source) for source in os.environ["RACKWRIGHT_INVENTORY"].split(":")]


@pytest.fixture(scope="session")
def host() -> Host:
    """Gives app1 as root."""
    return over_ssh(load_inventory(SOURCES).hosts["app1"].variables)
