"""The scenario's only machine."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import testinfra
from testinfra.host import Host

from rackwright.site.inventory import load_inventory

SOURCES = [Path(source) for source in os.environ["RACKWRIGHT_INVENTORY"].split(":")]


@pytest.fixture(scope="session")
def host() -> Host:
    """Gives app1 as root."""
    found = load_inventory(SOURCES).hosts["app1"].variables
    return testinfra.get_host(
        f"ssh://{found['ansible_user']}@{found['ansible_host']}",
        ssh_identity_file=found["ansible_ssh_private_key_file"],
        ssh_extra_args=found["ansible_ssh_common_args"],
        controlpersist=60,
        sudo=True,
    )
