"""The data host, and a client: statements come from app1, as the app's do."""

from __future__ import annotations

import base64
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from over_ssh import over_ssh
from testinfra.backend.base import CommandResult
from testinfra.host import Host

from rackwright.site.inventory import Inventory, load_inventory
from rackwright.site.load import site_of
from rackwright.sizing.host import ServiceSizing
from rackwright.sizing.report import size_site

CA = "/etc/rackwright/tls/ca.pem"
SOURCES = [Path(source) for source in os.environ["RACKWRIGHT_INVENTORY"].split(":")]


@pytest.fixture(scope="session")
def inventory() -> Inventory:
    """The site's inventory, with its vault."""
    return load_inventory(SOURCES)


@pytest.fixture(scope="session")
def variables(inventory: Inventory) -> Mapping[str, Any]:
    """What the inventory says of the data host."""
    return inventory.hosts["data1"].variables


@pytest.fixture(scope="session")
def sized(inventory: Inventory) -> dict[str, ServiceSizing]:
    """What the sizing functions say for the data host's services."""
    (report,) = (host for host in size_site(inventory, site_of(inventory)) if host.name == "data1")
    assert report.sizing is not None, report.problem
    return dict(report.sizing.services)


@pytest.fixture(scope="session")
def connect(inventory: Inventory) -> Callable[[str], Host]:
    """A function that gives a testinfra host, root by sudo."""
    return lambda name: over_ssh(inventory.hosts[name].variables)


@pytest.fixture(scope="session")
def data(connect: Callable[[str], Host]) -> Host:
    """The host that PostgreSQL and Redis run on."""
    return connect("data1")


@pytest.fixture(scope="session")
def client(connect: Callable[[str], Host]) -> Host:
    """A host that may call, with the programs that speak to both."""
    host = connect("app1")
    if not host.exists("psql") or not host.exists("redis-cli"):
        install = (
            "apt-get update -qq && apt-get install -qq --no-install-recommends postgresql-client redis-tools"
        )
        host.run_expect([0], install)
    return host


@pytest.fixture(scope="session")
def ask(data: Host) -> Callable[..., str]:
    """Asks the server on its own host, as the superuser."""

    def asked(sql: str, database: str = "postgres") -> str:
        done = data.run(
            "cd / && sudo -u postgres psql -X -A -t -v ON_ERROR_STOP=1 -d %s -c %s", database, sql
        )
        assert done.rc == 0, done.stderr
        return str(done.stdout.strip())

    return asked


@pytest.fixture(scope="session")
def holders(data: Host) -> Callable[..., list[str]]:
    """Finds the files of the data host that hold a text, the whole journal included."""

    def found(text: str, *directories: str) -> list[str]:
        # Encoded, because sudo writes the command itself to the journal.
        pattern = base64.b64encode(text.encode()).decode()
        listing = f'grep -rlF -- "$(echo {pattern} | base64 -d)" {" ".join(directories)}'
        return list(data.run(listing).stdout.split())

    return found


@pytest.fixture
def psql(client: Host, variables: Mapping[str, Any]) -> Callable[..., CommandResult]:
    """Connects from app1 over the network."""

    def connected(sql: str = "SELECT 1", password: str = "", **options: str) -> CommandResult:
        values = {
            "host": variables["ansible_host"],
            "dbname": "ai_platform",
            "user": "ai_platform",
            "sslmode": "verify-full",
            "sslrootcert": CA,
            "connect_timeout": "5",
        }
        given = " ".join(f"{name}={value}" for name, value in (values | options).items())
        secret = password or variables["vault_postgresql_app_password"]
        return client.run("PGPASSWORD=%s psql -X -A -t -c %s %s", secret, sql, given)

    return connected
