"""The scenario's machines, booted by a kernel with AppArmor, and what they say of themselves."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from emulated import FILES, booted, emulator
from machines import PROJECT, SOURCES, Machines

from rackwright.site.inventory import load_inventory

Told = Mapping[str, Any]
HOSTS = ("data1", "edge1")


@pytest.fixture(scope="session")
def machines() -> Machines:
    """All machines of the scenario."""
    return Machines()


@pytest.fixture(scope="session")
def container(machines: Machines) -> Iterator[str]:
    """Where machines are booted, one after another."""
    with emulator(machines.lab) as name:
        yield name


@pytest.fixture(scope="session", params=HOSTS)
def told(request: pytest.FixtureRequest, machines: Machines, container: str) -> Told:
    """What a machine says after it has come up, was asked everything, was reloaded and asked again."""
    host = str(request.param)
    variables = load_inventory(SOURCES).hosts[host].variables
    secrets = {name: variables[name] for name in variables if name.startswith("vault_")}
    given = {**secrets, "address": str(machines.addresses[host]), "domain": variables["domain"]}
    files = {
        "prove.py": text_of(FILES / "prove.py"),
        "checks.py": text_of(FILES / f"{host}.py"),
        "signed.py": text_of(PROJECT / "molecule/shared/signed.py"),
        "given.json": json.dumps(given, default=str),
    }
    return booted(container, machines.containers[host], host, given["address"], files)


def text_of(path: Path) -> str:
    """A file's content."""
    return path.read_text(encoding="utf-8")
