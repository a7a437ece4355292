"""What is kept: packed, for so many days, within so many bytes, for whoever may read it."""

import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from conftest import LINES_AT, SETTINGS, UNIT, LogServer
from machines import Machines
from writing import WRITE, write, written

RUN = f"{int(time.time()):x}"
FILE = f"/var/log/redis/bounded-{RUN}.log"
# A minute between two looks, and what a busy machine adds.
LOOK_SECONDS = 90


def a_line(number: int, at: datetime, text: str) -> str:
    told = {"time": f"{at:%Y-%m-%dT%H:%M:%S}.000000Z", "id": f"{number:032x}", "service": "redis"}
    return json.dumps(
        {**told, "source": "file", "stream": "/s", "position": number, "text": text}, separators=(",", ":")
    )


def put(log_server: LogServer, at: datetime, lines: list[str], touched: str = "2 hours ago") -> str:
    """Writes a file of another day as the server would have; returns where it is."""
    directory = f"{LINES_AT}/{at:%Y-%m-%d}/data/data1"
    day = f"{LINES_AT}/{at:%Y-%m-%d}"
    log_server.inside(
        f"mkdir -p {directory}; cat > {directory}/redis.jsonl; chmod 640 {directory}/redis.jsonl;"
        f" chmod 2750 {day} {day}/data {directory};"
        f" chown -R rackwright-log-server:rackwright-log-readers {day};"
        f" touch -d '{touched}' {directory}/redis.jsonl",
        data="".join(line + "\n" for line in lines),
    )
    return directory


def test_a_day_that_is_over_is_packed_and_each_line_once(
    log_server: LogServer, tell: Callable[[str], None]
) -> None:
    yesterday = datetime.now(UTC) - timedelta(days=1)
    lines = [
        a_line(n, yesterday + timedelta(milliseconds=n), f"packed-{RUN} request {n} of user {n * 7919 % 97}")
        for n in range(5000)
    ]
    # Of those that came twice the first counts.
    directory = put(log_server, yesterday, lines + lines[:50])
    plain = int(log_server.inside(f"stat -c %s {directory}/redis.jsonl"))
    ended = time.monotonic() + LOOK_SECONDS
    while "redis.1.jsonl.gz" not in (listed := log_server.inside(f"ls {directory}").split()):
        assert time.monotonic() < ended, listed
        time.sleep(3)
    packed = int(log_server.inside(f"stat -c %s {directory}/redis.1.jsonl.gz"))
    tell(f"{plain} bytes of lines became {packed}, a {plain / packed:.1f}th")
    assert log_server.inside(f"ls {directory}") == "redis.1.jsonl.gz"
    assert log_server.inside(f"zcat {directory}/redis.1.jsonl.gz | wc -l") == "5000"
    found = log_server.found(f"packed-{RUN} ", timedelta(days=2))
    assert [line.text.split()[2] for line in found] == [str(n) for n in range(5000)]


def test_days_that_are_over_go(log_server: LogServer) -> None:
    keep = json.loads(log_server.inside(f"cat {SETTINGS}"))["days"]
    now = datetime.now(UTC)
    last, gone = now - timedelta(days=keep - 1), now - timedelta(days=keep)
    for number, at in enumerate((last, gone)):
        put(log_server, at, [a_line(number, at, f"days-{RUN}")])
    ended = time.monotonic() + LOOK_SECONDS
    while f"{gone:%Y-%m-%d}" in log_server.inside(f"ls {LINES_AT}").split():
        assert time.monotonic() < ended
        time.sleep(3)
    assert len(log_server.found(f"days-{RUN}", timedelta(days=keep + 2))) == 1


@pytest.fixture
def little(log_server: LogServer) -> Iterator[int]:
    """Four megabytes for all lines, instead of what the host has for them."""
    bytes_ = 4 * 1024 * 1024
    log_server.inside(
        f"cp -a {SETTINGS} /run/settings.kept;"
        f""" sed -i -E 's/("limit_bytes": )[0-9]+/\\1{bytes_}/' {SETTINGS}; systemctl restart {UNIT}"""
    )
    yield bytes_
    log_server.inside(f"cp -a /run/settings.kept {SETTINGS}; systemctl restart {UNIT}")


def test_the_space_is_bounded_and_the_oldest_goes(
    machines: Machines, log_server: LogServer, little: int, tell: Callable[[str], None]
) -> None:
    machines.inside("data1", "cat > /run/write-lines.py", data=WRITE)
    machines.inside("data1", f"install -o redis -g adm -m 0640 /dev/null {FILE}")
    count, most = 60_000, 0
    write(machines, "data1", f"bounded-{RUN}", count, FILE, 0.1)
    ended = time.monotonic() + 240
    while not log_server.found(f"bounded-{RUN} {count - 1:07d}"):
        most = max(most, int(log_server.inside(f"du -s --block-size=1 {LINES_AT}").split()[0]))
        assert time.monotonic() < ended
        time.sleep(2)
    written(machines, "data1", f"bounded-{RUN}")
    tell(f"{count} lines with room for {little} bytes took {most} at most")
    # A batch, and what is being packed, are beside it for a moment; directories are not counted.
    assert most < little * 1.5
    time.sleep(16)
    assert log_server.metric("used_bytes") <= little
    assert log_server.metric("limit_bytes") == little


def test_none_but_its_readers_read(log_server: LogServer) -> None:
    question = json.dumps({"since": "2026-01-01T00:00:00+00:00", "limit": 1})
    ask = f"rackwright-log-search {SETTINGS}"
    log_server.inside("useradd -M reader-of-logs; usermod -aG rackwright-log-readers reader-of-logs")
    try:
        assert '"lines": [{' in log_server.inside(f"runuser -u reader-of-logs -- {ask}", data=question)
    finally:
        log_server.inside("userdel reader-of-logs")
    assert "Permission denied" in log_server.inside(f"runuser -u nobody -- ls {LINES_AT} 2>&1 || true")
    assert log_server.inside(f"find {LINES_AT} -perm /o=rwx | head -3") == ""
    owners = log_server.inside(f"find {LINES_AT} -type f -printf '%u:%g\\n' | sort -u")
    assert owners == "rackwright-log-server:rackwright-log-readers"
