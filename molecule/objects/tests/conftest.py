"""The scenario's machines, the object store as another host meets it, and rows that refer to objects."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from keeping import keeper
from machines import SOURCES, Machines
from s3 import S3

from rackwright.site.inventory import load_inventory

Ask = Callable[..., Any]
Run = Callable[[str], str]
Sql = Callable[..., str]
__all__ = ["keeper"]


@pytest.fixture(scope="session")
def machines() -> Machines:
    """All machines of the scenario."""
    return Machines()


@pytest.fixture(scope="session")
def s3(machines: Machines) -> S3:
    """The store, as programs of app1 meet it."""
    secret = load_inventory(SOURCES).hosts["data1"].variables["vault_object_store_secret_key"]
    return S3(machines, "app1", str(secret))


@pytest.fixture(scope="session")
def data(machines: Machines) -> Run:
    """Runs a script where the objects are."""
    return lambda script: machines.inside("data1", script)


@pytest.fixture(scope="session")
def sql(machines: Machines) -> Sql:
    """Runs statements in the app's database, as the superuser."""
    script = "cd / && runuser -u postgres -- psql -XAtq -v ON_ERROR_STOP=1 -d ai_platform"
    return lambda *statements: machines.inside("data1", script, data=";\n".join(statements) + ";\n")
