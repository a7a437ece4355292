"""Numbered rows, one for each commit; the server or the host is killed. Each acknowledged row is there."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable

import pytest
from machines import Machines

ROUNDS = 10
WRITER = (
    "cd / && runuser -u postgres -- sh -c '"
    "n=0; while true; do n=$((n + 1));"
    ' echo "INSERT INTO numbered VALUES ({round} * 1000000 + $n) RETURNING n;"; done'
    " | psql -XAtq -v ON_ERROR_STOP=1 -d postgres'"
)


@pytest.fixture(scope="session")
def machines() -> Machines:
    """All machines of the scenario."""
    return Machines()


@pytest.fixture(scope="session")
def sql(machines: Machines) -> Callable[[str], str]:
    """Runs a statement as the superuser."""

    def asked(text: str) -> str:
        return machines.inside("data1", "cd / && runuser -u postgres -- psql -XAtq -d postgres", data=text)

    return asked


def await_server(sql: Callable[[str], str]) -> float:
    """Waits until the server takes writes; returns the seconds."""
    started = time.monotonic()
    while time.monotonic() - started < 120:
        try:
            if sql("SELECT pg_is_in_recovery()") == "f":
                return time.monotonic() - started
        except (AssertionError, subprocess.TimeoutExpired):
            pass
        time.sleep(0.5)
    raise AssertionError("the server did not come back")


@pytest.mark.parametrize("round_number", range(ROUNDS))
def test_the_server_is_killed(machines: Machines, round_number: int) -> None:
    told = json.loads(machines.inside("data1", "rackwright-store kill postgresql"))
    assert told["acknowledged"] > 10, round_number
    assert told["found"] == told["acknowledged"]


@pytest.mark.parametrize("round_number", range(ROUNDS))
def test_the_host_is_killed(machines: Machines, sql: Callable[[str], str], round_number: int) -> None:
    sql("CREATE TABLE IF NOT EXISTS numbered (n int PRIMARY KEY)")
    sql(f"DELETE FROM numbered WHERE n / 1000000 = {round_number + 1}")  # noqa: S608 - a number
    container = machines.containers["data1"]
    script = WRITER.replace("{round}", str(round_number + 1))
    writer = subprocess.Popen(
        ["docker", "exec", "-i", container, "bash", "-c", script], stdout=subprocess.PIPE, text=True
    )
    time.sleep(4)
    subprocess.run(["docker", "kill", container], check=True, capture_output=True)
    out, _ = writer.communicate(timeout=60)
    # The last line may be cut short; what is not whole was not read.
    acknowledged = {
        int(line) for line in out.splitlines(keepends=True) if line.endswith("\n") and line.strip()
    }
    subprocess.run(["docker", "start", container], check=True, capture_output=True)
    await_server(sql)
    asked = f"SELECT n FROM numbered WHERE n / 1000000 = {round_number + 1}"  # noqa: S608 - a number
    found = set(map(int, sql(asked).split()))
    assert len(acknowledged) > 10
    assert acknowledged - found == set()
