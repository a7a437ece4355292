"""The scenario's machines, MongoDB as a program of another host meets it, and the command line."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from data_host import machines, variables
from keeping import Cli, cli, keeper
from machines import Machines

Client = Callable[..., str]
CA = "/etc/rackwright/tls/ca.pem"
# A caller with the driver that programs have; refusals are told in the server's words.
CALLER = """
from pymongo import MongoClient
from pymongo.errors import PyMongoError
try:
    client = MongoClient({address!r}, 27017, username={user!r}, password={password!r}, journal=True,
                         serverSelectionTimeoutMS=15000, **{options!r})
    db = client[{database!r}]
    {statement}
except PyMongoError as error:
    print("refused:", type(error).__name__, str(error)[:300])
"""
__all__ = ["Cli", "cli", "keeper", "machines", "variables"]


@pytest.fixture(scope="session")
def client(machines: Machines, variables: Mapping[str, Any]) -> Client:
    """Runs a statement of Python on app1, where `db` is a database of a host; returns what it printed."""
    there = (
        "python3 -c 'import pymongo' 2>/dev/null || apt-get install -y -qq python3-pymongo >/dev/null 2>&1"
    )
    machines.inside("app1", there)

    def asked(
        statement: str,
        user: str = "app",
        password: str = "",
        database: str = "app",
        host: str = "app1",
        at: str = "data1",
        **options: object,
    ) -> str:
        text = CALLER.format(
            address=machines.addresses[at],
            user=user,
            password=password or variables["vault_mongodb_app_password"],
            options=options or {"tls": True, "tlsCAFile": CA},
            database=database,
            statement=statement,
        )
        return machines.inside(host, "python3 - 2>&1", check=False, data=text)

    return asked
