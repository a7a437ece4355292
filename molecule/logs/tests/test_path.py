"""Lines on their way to the store: each arrives once, in order, masked, whatever happens meanwhile."""

import time

import pytest
from conftest import LogStore
from machines import Machines
from writing import LINES, OUTAGE, WRITE, in_order_once, seconds_for, write, written

# Of what is not about how many there are.
COUNT = 6000
SECONDS = seconds_for(COUNT)
# Of this run: the same line at the same place of a file of the same name would be the same line.
RUN = f"{int(time.time()):x}"
FILE = f"/var/log/redis/written-{RUN}.log"
UNIT = "rackwright-log-shipper.service"


@pytest.fixture(scope="module", autouse=True)
def writer(machines: Machines) -> None:
    for host in ("data1", "ops1"):
        machines.inside(host, "cat > /run/write-lines.py", data=WRITE)
    machines.inside("data1", f"install -o redis -g adm -m 0640 /dev/null {FILE}")


def test_nothing_is_lost_while_the_store_is_away(machines: Machines, log_store: LogStore) -> None:
    share = LINES // 3
    started = log_store.last()
    log_store.stop()
    away = time.monotonic()
    write(machines, "data1", f"away-file-{RUN}", share, FILE)
    write(machines, "data1", f"away-journal-{RUN}", share, "-")
    machines.inside(
        "ops1",
        f"docker run -d --name away-container-{RUN} --network none --log-opt tag='{{{{.Name}}}}'"
        " -v /run/write-lines.py:/write.py:ro --entrypoint python3"
        f" $(docker inspect -f '{{{{.Image}}}}' elasticsearch) /write.py away-container-{RUN} {share} - 0.05",
    )
    for mark in (f"away-file-{RUN}", f"away-journal-{RUN}"):
        written(machines, "data1", mark)
    time.sleep(max(0.0, OUTAGE - (time.monotonic() - away)))
    log_store.start()
    for mark in (f"away-file-{RUN}", f"away-journal-{RUN}", f"away-container-{RUN}"):
        in_order_once(log_store.wait(f"{mark} 0", share, seconds_for(LINES), started), mark, share)
    machines.inside("ops1", f"docker rm -f away-container-{RUN}")


@pytest.mark.parametrize("how", ["restart", "kill -s KILL"])
def test_nothing_is_lost_when_the_shipper_ends_meanwhile(
    machines: Machines, log_store: LogStore, how: str
) -> None:
    mark, count = f"ends-{how.partition(' ')[0]}-{RUN}", COUNT // 6
    started = log_store.last()
    log_store.stop()
    write(machines, "data1", mark, count, FILE, 0.3)
    write(machines, "data1", f"{mark}-journal", count, "-", 0.3)
    for _ in range(3):
        time.sleep(1)
        machines.inside("data1", f"systemctl {how} {UNIT}")
    for name in (mark, f"{mark}-journal"):
        written(machines, "data1", name)
    machines.inside("data1", f"systemctl {how} {UNIT}")
    log_store.start()
    for name in (f"{mark} 0", f"{mark}-journal 0"):
        in_order_once(log_store.wait(name, count, SECONDS, started), name, count)


def test_lines_go_on_when_the_shipper_is_killed_in_the_middle(
    machines: Machines, log_store: LogStore
) -> None:
    count = COUNT // 6
    started = log_store.last()
    write(machines, "data1", f"middle-{RUN}", count, FILE, 0.5)
    for _ in range(4):
        time.sleep(1.5)
        machines.inside("data1", f"systemctl kill -s KILL {UNIT}")
    in_order_once(log_store.wait(f"middle-{RUN} 0", count, SECONDS, started), "middle", count)


def test_what_is_turned_while_nobody_reads_is_read_afterwards(
    machines: Machines, log_store: LogStore
) -> None:
    started = log_store.last()
    machines.inside("data1", f"systemctl stop {UNIT}")
    machines.inside("data1", f"python3 /run/write-lines.py turned-before-{RUN} 200 {FILE}")
    machines.inside("data1", "logrotate --force /etc/logrotate.d/redis-server")
    machines.inside("data1", f"python3 /run/write-lines.py turned-after-{RUN} 200 {FILE}")
    machines.inside("data1", f"systemctl start {UNIT}")
    for mark in (f"turned-before-{RUN}", f"turned-after-{RUN}"):
        in_order_once(log_store.wait(f"{mark} 0", 200, 60, started), mark, 200)


def test_what_waits_is_bounded(machines: Machines, log_store: LogStore) -> None:
    """With a bound of 300 kB instead of the host's own."""
    count = COUNT // 2
    configuration = "/etc/rackwright/log-shipper/rsyslog.conf"
    queue = "/var/lib/rackwright-log-shipper/queue"
    machines.inside("data1", f"cp -a {configuration} /run/rsyslog.conf.kept")
    machines.inside(
        "data1",
        # With a queue that begins anew: one file of it stays until it is full, delivered or not.
        f"for try in $(seq 1 60); do grep -q 'iQueueSize:2:1:0:' {queue}/ship.qi && break; sleep 0.5; done;"
        f" systemctl stop {UNIT}; rm -f {queue}/*;"
        ' sed -i -E \'s/maxDiskSpace="[0-9]+m"/maxDiskSpace="300k"/; s/maxFileSize="4m"/maxFileSize="64k"/\''
        f" {configuration};"
        f" systemctl start {UNIT}",
    )
    started = log_store.last()
    try:
        log_store.stop()
        machines.inside("data1", f"python3 /run/write-lines.py bounded-{RUN} {count} {FILE}")
        time.sleep(8)
        taken = int(machines.inside("data1", f"du -sk {queue}").split()[0])
        assert taken < 450, f"{taken} kB wait"
        assert machines.inside("data1", f"systemctl is-active {UNIT}") == "active"
        machines.inside("data1", f"systemctl restart {UNIT}")
    finally:
        log_store.start()
    in_order_once(log_store.wait(f"bounded-{RUN} 0", count, SECONDS, started), "bounded", count)
    machines.inside("data1", f"cp -a /run/rsyslog.conf.kept {configuration} && systemctl restart {UNIT}")
