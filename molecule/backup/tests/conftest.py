"""The scenario's machines, the data that they keep, and the command line as an operator uses it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from machines import PROJECT, SOURCES, Machines

Cli = Callable[..., subprocess.CompletedProcess[str]]
REPOSITORY = "/var/lib/rackwright/backup"


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


@pytest.fixture(scope="session")
def cli() -> Cli:
    """Runs a command of the CLI."""

    def ran(*words: str) -> subprocess.CompletedProcess[str]:
        sources = [part for source in SOURCES for part in ("-i", str(source))]
        program = str(Path(sys.executable).with_name("rackwright"))
        command = [program, words[0], *sources, *words[1:]]
        return subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False, timeout=600)

    return ran


@pytest.fixture(scope="session")
def keeper(machines: Machines) -> Callable[..., Any]:
    """Asks the backup host's own program; returns its answer, a refusal included."""

    def asked(*words: str, data: str = "") -> Any:  # noqa: ANN401
        out = machines.inside("ops1", f"rackwright-backup {' '.join(words)}", check=False, data=data)
        return json.loads(out.splitlines()[-1])

    return asked


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
