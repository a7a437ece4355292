"""Numbered rows, one for each commit, while something breaks. Each acknowledged row is there afterwards."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from tempfile import TemporaryFile
from typing import TextIO

import pytest
from machines import Machines

ROUNDS = int(os.environ.get("FAULT_ROUNDS", "10"))
DATA = "/var/lib/postgresql/17/main"
UNIT = "postgresql@17-main.service"
# With what is free on each, in MB: log that the backup host has not taken yet has its room.
DISKS = {DATA: 96, f"{DATA}/pg_wal": 800}
LOG_OF_SMALL_DISK = {"max_wal_size": "256MB", "min_wal_size": "64MB"}
WRITER = (
    "cd / && runuser -u postgres -- sh -c '"
    "n=0; while true; do n=$((n + 1));"
    ' echo "INSERT INTO numbered VALUES ({round} * 1000000 + $n) RETURNING n;"; done'
    " | psql -XAtq -v ON_ERROR_STOP=1 -d postgres'"
)
# Bound to end a segment that is begun: then the server must make the next one.
ENDS_SEGMENTS = (
    "cd / && for n in $(seq 200); do runuser -u postgres -- psql -XAtq -d postgres"
    " -c \"SELECT pg_logical_emit_message(true, 'test', 'x')\" -c 'SELECT pg_switch_wal()'"
    " || exit 0; done; exit 1"
)
rounds = pytest.mark.parametrize("round_number", range(ROUNDS))


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


def await_archived(sql: Callable[[str], str]) -> None:
    """Waits until the backup host has the log, so that the server can write over it.

    Log that waits stays from round to round: in the end a small disk would be full of it.
    """
    waiting = "SELECT count(*) FROM pg_ls_archive_statusdir() WHERE name LIKE '%.ready'"
    ends = time.monotonic() + 180
    while sql(waiting) != "0":
        assert time.monotonic() < ends, "the log does not leave"
        time.sleep(1)
    sql("CHECKPOINT")


class Written:
    """Rows that were acknowledged, and those that are there."""

    def __init__(self, sql: Callable[[str], str], number: int, told: TextIO) -> None:
        self._sql, self._number, self._told = sql, number, told
        self.acknowledged: set[int] = set()

    def read(self, writer: subprocess.Popen[bytes]) -> None:
        """Take what the writer was told, till it ended; a line that is not whole was not read."""
        writer.wait(timeout=90)
        self._told.seek(0)
        lines = self._told.read().splitlines(keepends=True)
        self.acknowledged = {int(line) for line in lines if line.endswith("\n") and line.strip()}

    def check(self) -> None:
        """See that every acknowledged row is there."""
        asked = f"SELECT n FROM numbered WHERE n / 1000000 = {self._number}"  # noqa: S608 - a number
        found = set(map(int, self._sql(asked).split()))
        assert len(self.acknowledged) > 10
        assert self.acknowledged - found == set()


@contextmanager
def writing(
    machines: Machines, sql: Callable[[str], str], number: int, seconds: float
) -> Iterator[tuple[subprocess.Popen[bytes], Written]]:
    """Have rows written, for some seconds from the first ones on, before the block breaks something.

    What the writer is told goes into a file: while nobody takes the output of one program, Docker does not
    tell the end of another.
    """
    sql("CREATE TABLE IF NOT EXISTS numbered (n int PRIMARY KEY)")
    # Rows of earlier rounds would fill the small disk by themselves.
    sql("TRUNCATE numbered")
    script = WRITER.replace("{round}", str(number))
    command = ["docker", "exec", "-i", machines.containers["data1"], "bash", "-c", script]
    with TemporaryFile("w+") as told:
        writer = subprocess.Popen(command, stdout=told, stderr=subprocess.DEVNULL)
        ends = time.monotonic() + 90
        some = f"SELECT count(*) > 50 FROM numbered WHERE n / 1000000 = {number}"  # noqa: S608 - a number
        while sql(some) != "t":
            assert time.monotonic() < ends, "nothing is written"
            time.sleep(0.5)
        time.sleep(seconds)
        yield writer, Written(sql, number, told)


@rounds
def test_the_server_is_killed(machines: Machines, round_number: int) -> None:
    told = json.loads(machines.inside("data1", "rackwright-store kill postgresql"))
    assert told["acknowledged"] > 10, round_number
    assert told["found"] == told["acknowledged"]


@rounds
def test_the_host_is_killed(machines: Machines, sql: Callable[[str], str], round_number: int) -> None:
    container = machines.containers["data1"]
    with writing(machines, sql, 100 + round_number, 4) as (writer, written):
        subprocess.run(["docker", "kill", container], check=True, capture_output=True)
        written.read(writer)
    subprocess.run(["docker", "start", container], check=True, capture_output=True)
    await_server(sql)
    written.check()


@pytest.fixture(scope="module")
def small_disks(machines: Machines, sql: Callable[[str], str]) -> Iterator[None]:
    """Puts the data and its log on disks of their own, with a log that fits them, and back again.

    The site's numbers are for the disk that it has: what the server keeps of old log to write over would fill
    the small one by itself.
    """
    script = (
        f"systemctl stop {UNIT}; mv {DATA} {DATA}.held; install -d -m 0700 -o postgres -g postgres {DATA}"
    )
    for place, free in DISKS.items():
        held = place.replace(DATA, f"{DATA}.held")
        # Small enough to be filled at once.
        size = f"$(($(du -sm {held} | cut -f1) + {free}))m"
        options = f"size={size},mode=0700,uid=$(id -u postgres),gid=$(id -g postgres)"
        script += f" && mount -t tmpfs -o {options} tmpfs {place}"
        script += f" && tar -C {held} --exclude=./pg_wal/* -cf - . | tar -C {place} -xf -"
    machines.inside("data1", f"{script} && systemctl start {UNIT}")
    await_server(sql)
    for name, value in LOG_OF_SMALL_DISK.items():
        sql(f"ALTER SYSTEM SET {name} = '{value}'")
    sql("SELECT pg_reload_conf()")
    yield
    await_server(sql)
    for name in LOG_OF_SMALL_DISK:
        sql(f"ALTER SYSTEM RESET {name}")
    back = f"systemctl stop {UNIT}; cp -a {DATA}/. {DATA}.back && umount {DATA}/pg_wal {DATA} && rmdir {DATA}"
    machines.inside("data1", f"{back} && mv {DATA}.back {DATA} && rm -rf {DATA}.held; systemctl start {UNIT}")


@pytest.mark.usefixtures("small_disks")
@pytest.mark.parametrize("place", DISKS, ids=["data", "log"])
@rounds
def test_the_disk_is_full(
    machines: Machines, sql: Callable[[str], str], place: str, round_number: int
) -> None:
    await_server(sql)
    await_archived(sql)
    number = (200 if place == DATA else 300) + round_number
    with writing(machines, sql, number, 2) as (writer, written):
        machines.inside("data1", f"dd if=/dev/zero of={place}/filler bs=1M", check=False)
        try:
            assert "100%" in machines.inside("data1", f"df --output=pcent {place}")
            if place != DATA:
                machines.inside("data1", ENDS_SEGMENTS)
            written.read(writer)
        finally:
            writer.kill()
            machines.inside("data1", f"rm -f {place}/filler")
    await_server(sql)
    written.check()
    sql("INSERT INTO numbered VALUES (0) ON CONFLICT DO NOTHING")
