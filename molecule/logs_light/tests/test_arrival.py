"""Lines on their way to the log server: each is found once, in order, masked, whatever happens meanwhile."""

import time
from collections.abc import Callable

import pytest
from conftest import LINES_AT, SHIPPER, UNIT, LogServer, answered
from machines import Machines
from watched import Watched
from writing import LINES, OUTAGE, WRITE, in_order_once, seconds_for, write, written

COUNT = 6000
RUN = f"{int(time.time()):x}"
OWNED = "uid=rackwright-log-server,gid=rackwright-log-readers,mode=2750"
FILE = f"/var/log/redis/written-{RUN}.log"


@pytest.fixture(scope="module", autouse=True)
def writer(machines: Machines) -> None:
    machines.inside("data1", "cat > /run/write-lines.py", data=WRITE)
    machines.inside("data1", f"install -o redis -g adm -m 0640 /dev/null {FILE}")


def test_nothing_is_lost_while_it_is_away(
    machines: Machines, log_server: LogServer, tell: Callable[[str], None]
) -> None:
    share = LINES // 2
    marks = (f"away-file-{RUN}", f"away-journal-{RUN}")
    log_server.stop()
    away = time.monotonic()
    for mark, target in zip(marks, (FILE, "-"), strict=True):
        write(machines, "data1", mark, share, target)
    for mark in marks:
        written(machines, "data1", mark)
    time.sleep(max(0.0, OUTAGE - (time.monotonic() - away)))
    log_server.start()
    back = time.monotonic()
    for mark in marks:
        in_order_once(log_server.wait(f"{mark} 0", share, seconds_for(LINES)), mark, share)
    tell(
        f"{LINES} lines after {OUTAGE:g} s away: all found {time.monotonic() - back:.0f} s after it was back"
    )


@pytest.mark.parametrize(("who", "unit"), [("ops1", UNIT), ("data1", SHIPPER)], ids=["server", "shipper"])
def test_nothing_is_lost_when_one_end_is_killed_in_the_middle(
    machines: Machines, log_server: LogServer, who: str, unit: str
) -> None:
    mark = f"killed-{who}-{RUN}"
    write(machines, "data1", mark, COUNT, FILE, 0.5)
    for _ in range(5):
        time.sleep(2.5)
        machines.inside(who, f"systemctl kill -s KILL {unit}")
    written(machines, "data1", mark)
    in_order_once(log_server.wait(f"{mark} 0", COUNT, seconds_for(COUNT)), mark, COUNT)


def test_what_is_sent_again_is_found_once(machines: Machines, log_server: LogServer) -> None:
    """The shipper forgets where it was in a file: all of that comes again."""
    mark, file = f"again-{RUN}", f"/var/log/redis/again-{RUN}.log"
    machines.inside("data1", f"install -o redis -g adm -m 0640 /dev/null {file}")
    write(machines, "data1", mark, 300, file)
    in_order_once(log_server.wait(f"{mark} 0", 300, 60), mark, 300)
    state = f"/var/lib/rackwright-log-shipper/imfile-state:$(stat -c %i {file})*"
    machines.inside("data1", f"systemctl stop {SHIPPER}; rm {state}; systemctl start {SHIPPER}")
    ended = time.monotonic() + 120
    kept = f"cat {LINES_AT}/*/data/data1/redis.jsonl | grep -c '{mark} 0000299'"
    while int(log_server.inside(f"{kept} || true")) < 2:
        assert time.monotonic() < ended, "the lines did not come again"
        time.sleep(2)
    in_order_once(log_server.found(f"{mark} 0"), mark, 300)


def test_a_full_disk_is_told_makes_hosts_wait_and_loses_nothing(
    machines: Machines, log_server: LogServer, watched: Watched
) -> None:
    mark = f"full-{RUN}"
    log_server.inside(
        f"systemctl stop {UNIT}; mount -t tmpfs -o {OWNED},size=1m tmpfs {LINES_AT}; systemctl start {UNIT}"
    )
    try:
        write(machines, "data1", mark, COUNT, FILE)
        log_server.until("writable", 0)
        alert = "ALERTS{alertname='LogServerCannotWrite', alertstate='firing'}"
        answered(watched, alert)
        log_server.inside(f"mount -o remount,size=64m {LINES_AT}")
        in_order_once(log_server.wait(f"{mark} 0", COUNT, seconds_for(COUNT)), mark, COUNT)
        log_server.until("writable", 1)
    finally:
        log_server.inside(f"systemctl stop {UNIT}; umount {LINES_AT}; systemctl start {UNIT}")
