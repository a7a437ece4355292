"""The scenario's machines, the data that they keep, and the command line as an operator uses it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from keeping import Cli, cli, keeper
from machines import Machines

REPOSITORY = "/var/lib/rackwright/backup"
__all__ = ["Cli", "cli", "keeper"]


@pytest.fixture(scope="session")
def machines() -> Machines:
    """All machines of the scenario."""
    return Machines()


@pytest.fixture(scope="session")
def sql(machines: Machines) -> Callable[[str], str]:
    """Runs statements in the app's database, as the superuser."""

    def asked(*statements: str) -> str:
        script = "cd / && runuser -u postgres -- psql -XAtq -v ON_ERROR_STOP=1 -d ai_platform"
        return machines.inside("data1", script, data=";\n".join(statements) + ";\n")

    return asked


@pytest.fixture(scope="session")
def redis(machines: Machines) -> Callable[[str], str]:
    """Sends a command as the host's own user."""
    return lambda words: machines.inside("data1", f"/usr/local/lib/rackwright/redis-cli {words}")


@pytest.fixture(scope="session", autouse=True)
def kept(sql: Callable[..., str], redis: Callable[[str], str], keeper: Callable[..., Any]) -> list[Any]:
    """Something to keep, and two backups of it."""
    sql(
        "DROP TABLE IF EXISTS notes",
        "CREATE TABLE notes (n int PRIMARY KEY, body text)",
        "INSERT INTO notes SELECT n, repeat(md5(n::text), 20) FROM generate_series(1, 2000) n",
    )
    redis("set rackwright:kept 42")
    first = keeper("backup", "--type", "full")
    sql("INSERT INTO notes SELECT n, 'second' FROM generate_series(2001, 2100) n")
    second = keeper("backup", "--type", "diff")
    return [*first, *second]
