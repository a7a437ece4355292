"""Logstash between the hosts and the store: switched on, looked at, and switched off again.

A contract double stands for it; it reads the role's own settings and pipelines.
"""

import json
import re
import time
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from asking import answer_of
from conftest import LogStore
from machines import PROJECT, Machines
from watched import Watched
from writing import LINES, OUTAGE, WRITE, in_order_once, seconds_for, write, written

from rackwright.dashboards.boards.logs import LOGS
from rackwright.dashboards.promql import filled
from rackwright.site.inventory import load_inventory

OVERLAY = PROJECT / "molecule/logs/logstash.lab.yml"
HOSTS = "localhost,app1,data1,ops1"
RUN = f"{int(time.time()):x}"
FILE = f"/var/log/redis/by-logstash-{RUN}.log"
COUNT, SECONDS = 600, 60


def applied(machines: Machines, *options: str) -> int:
    """Applies what a change of the inventory's groups takes; returns how much changed."""
    changed = 0
    for name in ("base", "observability", "logging"):
        code, out = machines.play(f"playbooks/{name}.yml", HOSTS, *options)
        assert code == 0, out
        changed += sum(map(int, re.findall(r"changed=(\d+)", out)))
    return changed


def statistics(machines: Machines) -> dict[str, Any]:
    """What its API says of its pipelines, to its own host."""
    ask = f"import urllib.request as r; print(r.urlopen('http://{machines.addresses['ops1']}:9600/_node/stats').read().decode())"
    found: dict[str, Any] = json.loads(machines.inside("ops1", "python3 -", data=ask))
    pipelines: dict[str, Any] = found["pipelines"]
    return pipelines


def emptied(machines: Machines) -> None:
    ended = time.monotonic() + SECONDS
    while any(pipeline["queue"]["events_count"] for pipeline in statistics(machines).values()):
        assert time.monotonic() < ended
        time.sleep(1)


def started(machines: Machines) -> None:
    """Starts its container, and waits until it answers."""
    address = machines.addresses["ops1"]
    machines.inside(
        "ops1",
        "docker start logstash; for try in $(seq 1 60); do"
        f" (exec 3<>/dev/tcp/{address}/9600) 2>/dev/null && exit 0; sleep 0.5; done; exit 1",
    )


@pytest.fixture(scope="module", autouse=True)
def between(machines: Machines) -> Iterator[None]:
    """Afterwards the hosts speak to the store itself, as before."""
    applied(machines, "-i", str(OVERLAY))
    machines.inside("data1", "cat > /run/write-lines.py", data=WRITE)
    machines.inside("data1", f"install -o redis -g adm -m 0640 /dev/null {FILE}")
    yield
    applied(machines)
    emptied(machines)
    machines.inside("ops1", "docker rm -f logstash")


@pytest.fixture(scope="module")
def variables() -> Mapping[str, Any]:
    """What the inventory says of its host, with the vault."""
    sources = [PROJECT / "inventories/lab", PROJECT / "molecule/logs/lab.yml", OVERLAY]
    return load_inventory(sources).hosts["ops1"].variables


def asked(
    machines: Machines, variables: Mapping[str, Any], body: object, user: str = "shipper", password: str = ""
) -> int:
    url = f"https://{machines.addresses['ops1']}:5044/"
    secret = password or str(variables["vault_log_shipper_password"])
    return answer_of(machines, "data1", url, (user, secret), body)[0]


def test_a_second_run_changes_nothing(machines: Machines) -> None:
    assert applied(machines, "-i", str(OVERLAY)) == 0


def test_lines_come_by_it_once_in_order_and_masked(machines: Machines, log_store: LogStore) -> None:
    begun, before = log_store.last(), statistics(machines)["intake"]["events"]["in"]
    write(machines, "data1", f"by-file-{RUN}", COUNT, FILE)
    write(machines, "data1", f"by-journal-{RUN}", COUNT, "-")
    for mark in (f"by-file-{RUN}", f"by-journal-{RUN}"):
        in_order_once(log_store.wait(f"{mark} 0", COUNT, SECONDS, begun), mark, COUNT)
    assert statistics(machines)["intake"]["events"]["in"] >= before + 2 * COUNT


def test_how_grave_a_line_is_can_be_searched(machines: Machines, log_store: LogStore) -> None:
    begun = log_store.last()
    machines.inside("data1", f"cd / && ! runuser -u postgres -- psql -XAtc 'SELECT nothing_{RUN}'")
    found = log_store.wait(f'ERROR:  column "nothing_{RUN}"', 1, SECONDS, begun)
    assert [(line.service, line.level) for line in found] == [("postgresql", "error")]


def test_nothing_is_lost_when_it_is_killed_while_the_store_is_away(
    machines: Machines, log_store: LogStore
) -> None:
    begun = log_store.last()
    log_store.stop()
    away = time.monotonic()
    write(machines, "data1", f"killed-{RUN}", LINES, FILE, 0.05)
    for _ in range(3):
        time.sleep(5)
        machines.inside("ops1", "docker kill logstash")
        started(machines)
    written(machines, "data1", f"killed-{RUN}")
    ended = time.monotonic() + seconds_for(LINES)
    while statistics(machines)["store"]["queue"]["events_count"] < LINES:
        assert time.monotonic() < ended, "its queue on the disk does not hold what hosts have handed over"
        time.sleep(3)
    time.sleep(max(0.0, OUTAGE - (time.monotonic() - away)))
    log_store.start()
    in_order_once(log_store.wait(f"killed-{RUN} 0", LINES, seconds_for(LINES), begun), "killed", LINES)


def test_lines_wait_on_their_hosts_while_it_is_away(machines: Machines, log_store: LogStore) -> None:
    begun = log_store.last()
    machines.inside("ops1", "docker stop -t 10 logstash")
    write(machines, "data1", f"waits-{RUN}", COUNT, FILE)
    written(machines, "data1", f"waits-{RUN}")
    time.sleep(3)
    assert log_store.wait(f"waits-{RUN} 0", 1, 0, begun) == []
    started(machines)
    in_order_once(log_store.wait(f"waits-{RUN} 0", COUNT, SECONDS, begun), "waits", COUNT)


def a_line(number: str, **more: object) -> dict[str, object]:
    log = {"source": "file", "stream": f"/refused-{RUN}", "position": 1}
    document = {"@timestamp": "2026-11-26T12:00:00Z", "host": {"name": "data1"}, "service": {"name": "redis"}}
    return {
        **document,
        "log": log,
        "message": f"refused-{RUN} {number}",
        "event": {"id": f"{RUN}-{number}"},
        **more,
    }


def refusals(machines: Machines) -> dict[str, int]:
    """How many lines the store has refused, by pipeline."""
    told = statistics(machines)
    outputs = {name: told[name]["plugins"]["outputs"][0]["documents"] for name in ("store", "refused")}
    return {name: documents.get("dlq_routed", 0) for name, documents in outputs.items()}


def test_what_the_store_refuses_comes_without_its_fields_or_is_kept(
    machines: Machines, log_store: LogStore, variables: Mapping[str, Any]
) -> None:
    begun = log_store.last()
    nested: object = "deep"
    for _ in range(12):
        nested = {"within": nested}
    batch = [a_line("0-good"), a_line("0-fields", fields=nested), a_line("0-never", unheard_of=1)]
    assert asked(machines, variables, batch) == 200
    found = log_store.wait(f"refused-{RUN} 0", 2, SECONDS, begun)
    assert sorted(line.text.rpartition("-")[2] for line in found) == ["fields", "good"]
    ended = time.monotonic() + SECONDS
    while refusals(machines) != {"store": 2, "refused": 1}:
        assert time.monotonic() < ended, refusals(machines)
        time.sleep(1)
    # The same batch again, as after an answer that was lost: nothing comes twice.
    assert asked(machines, variables, batch) == 200
    emptied(machines)
    assert len(log_store.wait(f"refused-{RUN} 0", 3, 5, begun)) == 2


def test_strangers_bring_nothing_and_hear_nothing(machines: Machines, variables: Mapping[str, Any]) -> None:
    assert asked(machines, variables, [a_line("x")], user="") == 401
    assert asked(machines, variables, [a_line("x")], password="p" * 48) == 401
    assert asked(machines, variables, [a_line("x")], user="reader") == 401
    at_api = (machines.addresses["ops1"], 9600)
    assert machines.probe(["data1"], [at_api])["data1"][at_api] != "open"


def test_no_secret_is_in_its_environment_or_in_open_files(
    machines: Machines, variables: Mapping[str, Any]
) -> None:
    shown = machines.inside("ops1", "docker inspect logstash; cat /etc/rackwright/logstash/pipelines/*.conf")
    for name in ("logstash_password", "log_shipper_password"):
        assert str(variables[f"vault_{name}"]) not in shown
    secrets = "/etc/rackwright/containers/logstash/secrets"
    assert set(machines.inside("ops1", f"stat -c %a {secrets}/*.conf").split()) <= {"400", "600"}


def test_every_query_about_it_returns_data(watched: Watched) -> None:
    asked_of_it = [query.expr for _, query in LOGS.queries() if "logstash" in query.needs]
    assert asked_of_it
    ended = time.monotonic() + 90
    while missing := [expr for expr in asked_of_it if not watched.query(filled(expr))]:
        assert time.monotonic() < ended, missing
        time.sleep(3)
