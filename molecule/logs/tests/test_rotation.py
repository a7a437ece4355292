"""Thirty days of rotation: no line lost, the space bounded, programs on their new files, all shipped."""

import time

import pytest
from conftest import LogStore
from machines import Machines

DAYS = 30
# Of this run: the same line at the same place of a file of the same name would be the same line.
RUN = f"{int(time.time()):x}"
REDIS, POSTGRESQL = "/etc/logrotate.d/redis-server", "/etc/logrotate.d/postgresql-common"
REDIS_LOG = "/var/log/redis/redis-server.log"


def inode(machines: Machines, host: str, path: str) -> str:
    return machines.inside(host, f"stat -c %i {path}")


def test_thirty_days(machines: Machines, log_store: LogStore) -> None:
    started = log_store.last()
    machines.inside("data1", "rm -f /var/log/redis/*.log.* /var/log/postgresql/*.log.*")
    for first in range(1, DAYS + 1, 10):
        machines.inside(
            "data1",
            f"for day in $(seq {first} {first + 9}); do"
            "  for line in $(seq 1 20); do"
            f'    echo "day $day line $line of {RUN}" >> /var/log/redis/days.log; done;'
            "  runuser -u postgres -- psql -qXAt -c"
            "    \"DO \\$\\$ BEGIN RAISE LOG 'day $day of postgresql'; END \\$\\$\";"
            # A day is short here, but longer than reading it takes: of a file that is turned twice
            # before it was read, the older part is packed.
            f"  sleep 2; logrotate --force {REDIS}; logrotate --force {POSTGRESQL};"
            " done",
        )
    # All of it is still on the host, for as long as it has to be.
    kept = machines.inside("data1", "zcat -f /var/log/redis/days.log* | sort | uniq -c | sort -n")
    assert len(kept.splitlines()) == DAYS * 20
    assert all(line.split()[0] == "1" for line in kept.splitlines())
    told = machines.inside(
        "data1", "zcat -f /var/log/postgresql/*-main.log* | grep -c 'LOG:  day [0-9]* of postgresql'"
    )
    assert int(told) == DAYS
    # The number of files is bounded, and all but the newest two are packed.
    names = machines.inside("data1", "ls /var/log/postgresql").split()
    assert len([name for name in names if "main.log" in name]) <= DAYS + 1
    assert sorted(name for name in names if not name.endswith(".gz") and "main.log." in name) == [
        "postgresql-17-main.log.1"
    ]
    # And each day is in the store, once.
    lines = log_store.wait(f"of {RUN}", DAYS * 20, 90, started)
    assert sorted(line.text for line in lines) == sorted(
        f"day {day} line {line} of {RUN}" for day in range(1, DAYS + 1) for line in range(1, 21)
    )
    lines = log_store.wait("of postgresql", DAYS, 60, started)
    assert len([line for line in lines if "LOG:  day" in line.text]) == DAYS


def test_programs_write_to_the_new_file(machines: Machines) -> None:
    # What is empty is not turned.
    machines.inside("data1", "runuser -u postgres -- psql -qXAt -c 'SELECT no_such_row' || true; sleep 1")
    before = inode(machines, "data1", "/var/log/postgresql/postgresql-17-main.log")
    machines.inside("data1", f"logrotate --force {POSTGRESQL}; logrotate --force {REDIS}")
    assert inode(machines, "data1", "/var/log/postgresql/postgresql-17-main.log") != before
    machines.inside("data1", "runuser -u postgres -- psql -qXAt -c 'SELECT no_such_column' || true")
    machines.inside("data1", "/usr/local/lib/rackwright/redis-cli bgsave >/dev/null")
    time.sleep(1)
    assert "no_such_column" in machines.inside("data1", "cat /var/log/postgresql/postgresql-17-main.log")
    assert "Background saving" in machines.inside("data1", f"cat {REDIS_LOG}")
    owner = machines.inside("data1", f"stat -c '%U %a' {REDIS_LOG}")
    assert owner == "redis 640"


def test_a_day_and_a_size_turn_a_file_and_nothing_else_does(machines: Machines) -> None:
    state = "/run/rotation.state"
    path = "/var/log/redis/sized.log"
    limit = int(machines.inside("data1", f"sed -n 's/.*maxsize \\([0-9]*\\)k/\\1/p' {REDIS}"))
    today = machines.inside("data1", "date +%Y-%-m-%-d-%-H:0:0")
    yesterday = machines.inside("data1", "date -d yesterday +%Y-%-m-%-d-%-H:0:0")

    def run(day: str) -> bool:
        machines.inside(
            "data1", f"rm -f {path}.1*; printf 'logrotate state -- version 2\\n\"{path}\" {day}\\n' > {state}"
        )
        machines.inside("data1", f"logrotate --state {state} {REDIS}")
        return machines.inside("data1", f"test -e {path}.1 && echo turned", check=False) == "turned"

    machines.inside("data1", f"install -o redis -g adm -m 0640 /dev/null {path}; echo a line > {path}")
    assert not run(today)
    assert run(yesterday)
    machines.inside("data1", f"head -c {limit * 1024 + 1024} /dev/zero | tr '\\0' x > {path}")
    assert run(today)


def test_the_whole_of_logs_is_bounded(machines: Machines) -> None:
    for host in ("data1", "ops1", "app1"):
        journal = machines.inside(host, "cat /etc/systemd/journald.conf.d/60-rackwright.conf")
        assert "SystemMaxUse=" in journal
        assert "OnCalendar=*:0/15" in machines.inside(host, "systemctl cat logrotate.timer")
        assert machines.inside(host, "systemctl is-active logrotate.timer") == "active"
        if host == "app1":
            # The app itself is not in this scenario, nor is the account that its file belongs to.
            continue
        # No two files of logrotate are of the same log: it would do nothing then.
        debug = "logrotate --debug /etc/logrotate.conf 2>&1"
        told = machines.inside(host, f"{debug} | grep -iE 'duplicate|^error' || true")
        assert told == "", f"{host}: {told}"
    assert "tag" in machines.inside("ops1", "cat /etc/docker/daemon.json")


@pytest.mark.parametrize("host", ["data1", "ops1", "app1"])
def test_every_log_of_the_catalogue_is_rotated(machines: Machines, host: str) -> None:
    rotated = machines.inside(host, "cat /etc/logrotate.d/*")
    for service in machines.site.services_of(host).values():
        for log in getattr(service.logs, "__iter__", list)():
            if hasattr(log, "file"):
                assert f"\n{log.file} {{" in f"\n{rotated}", log.file
