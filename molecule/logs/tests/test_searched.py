"""`rackwright logs` where Elasticsearch is the store; its questions are told to a double."""

import json
import time

from command import given
from conftest import LogStore
from machines import Machines

RUN = f"{int(time.time()):x}"


def test_lines_are_found_by_host_service_and_pattern(machines: Machines, log_store: LogStore) -> None:
    started = log_store.last()
    for host in ("data1", "app1"):
        machines.inside(
            host,
            f"for n in 1 2 3; do logger -p user.warning 'searched-{RUN} '$n 13812345678; sleep 0.1; done",
        )
    log_store.wait(f"searched-{RUN}", 6, 60, started)
    done = given("logs", "--grep", f"searched-{RUN} [12]", "--host", "data1", "--since", "10m", "--json")
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(line["host"], line["service"], line["level"], line["text"].split()[1]) for line in lines] == [
        ("data1", "system", "warning", "1"),
        ("data1", "system", "warning", "2"),
    ]
    assert all("138****5678" in line["text"] for line in lines)
    latest = given("logs", "--grep", f"searched-{RUN}", "--limit", "2")
    assert len(latest.stdout.splitlines()) == 2
    assert "these are the latest 2" in latest.stderr
    assert given("logs", "--grep", f"searched-{RUN}", "--service", "redis").stdout == ""
