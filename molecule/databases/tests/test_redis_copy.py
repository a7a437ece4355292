"""A copy of Redis on another host: over TLS, by a user that can do nothing else; promoted without a loss.

The tests follow each other: the first hands over, the next kills, the last brings back.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from machines import PROJECT, Machines

Ask = Callable[..., str]
Promote = Callable[[str, str], tuple[int, str]]
CLI = "/usr/local/lib/rackwright/redis-cli"
RUNBOOK = PROJECT / "docs/runbooks/redis-lost.md"
# Writes numbered keys to a server, one by one, and prints each that it acknowledged, or a copy confirmed.
WRITER = """
import socket, ssl, sys, time
host, password, start, waits = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4] == "wait"
trust = ssl.create_default_context(cafile="/etc/rackwright/tls/ca.pem")
tls = trust.wrap_socket(socket.create_connection((host, 6379), 5), server_hostname=host)
tls.settimeout(8)
lines = tls.makefile("rb")
def ask(*words):
    parts = [str(word).encode() for word in words]
    tls.sendall(b"*%d\\r\\n" % len(parts) + b"".join(b"$%d\\r\\n%s\\r\\n" % (len(p), p) for p in parts))
    return lines.readline().strip()
assert ask("AUTH", "app", password) == b"+OK"
number, ends = start, time.monotonic() + 30
try:
    while time.monotonic() < ends:
        if ask("SET", f"rackwright:n:{number}", number) != b"+OK":
            break
        if not waits or ask("WAIT", 1, 1000) == b":1":
            print(number, flush=True)
        number += 1
        time.sleep(0.002)
except (OSError, IndexError):
    pass
"""


@pytest.fixture(scope="module")
def redis(machines: Machines) -> Ask:
    """Sends a command to a host's server as its own user."""
    return lambda host, words: machines.inside(host, f"{CLI} {words}")


@pytest.fixture
def promote(machines: Machines) -> Promote:
    """Runs the runbook's own command on the hosts that are there, with the one to lead in the inventory."""
    (line,) = re.findall(
        r"^rackwright apply --playbook (playbooks/promote_redis.yml)$", RUNBOOK.read_text(), re.MULTILINE
    )

    def ran(host: str, there: str) -> tuple[int, str]:
        return machines.play(line, there, redis_primary=host)

    return ran


def state(redis: Ask, host: str) -> dict[str, str]:
    return dict(
        line.strip().split(":", 1) for line in redis(host, "info replication").splitlines() if ":" in line
    )


def await_up(redis: Ask, host: str) -> dict[str, str]:
    ends = time.monotonic() + 60
    while (found := state(redis, host)).get("master_link_status") != "up" and time.monotonic() < ends:
        time.sleep(0.5)
    return found


def write(machines: Machines, password: str, host: str, start: int, how: str) -> None:
    """Begins to write from app1, for half a minute or until it is refused."""
    machines.inside("app1", "cat > /root/writer.py", data=WRITER)
    words = f"{machines.addresses[host]} {password} {start} {how}"
    machines.inside(
        "app1", f"python3 /root/writer.py {words} > /root/written 2> /root/writer.log < /dev/null & sleep 1.5"
    )


def numbers(machines: Machines) -> set[int]:
    machines.inside("app1", "while pgrep -f '^python3 /root/writer.py' >/dev/null; do sleep 0.3; done")
    return set(map(int, machines.inside("app1", "cat /root/written").split()))


def kept(redis: Ask, host: str, wanted: set[int]) -> set[int]:
    found = set(
        re.findall(r"^rackwright:n:(\d+)$", redis(host, "--scan --pattern 'rackwright:n:*'"), re.MULTILINE)
    )
    return wanted & set(map(int, found))


def test_a_copy_follows_over_tls_by_a_user_that_can_do_nothing_else(
    redis: Ask, machines: Machines, variables: Mapping[str, Any]
) -> None:
    assert state(redis, "data1")["role"] == "master"
    found = await_up(redis, "data2")
    assert (found["role"], found["master_host"]) == ("slave", machines.addresses["data1"])
    assert state(redis, "data1")["connected_slaves"] == "1"
    assert redis("data2", "config get tls-replication").split()[-1] == "yes"
    assert machines.inside("data2", "ss -Htn state established '( dport = :6379 )' | wc -l") != "0"
    redis("data1", "set rackwright:copied yes")
    assert redis("data1", "wait 1 2000") == "1"
    assert redis("data2", "get rackwright:copied") == "yes"
    assert "READONLY" in machines.inside("data2", f"{CLI} set rackwright:x 1 2>&1", check=False)
    # What the copy shows opens nothing else.
    password = machines.inside("data2", "sed -n 's/^masterauth //p' /etc/redis/replication.conf")
    assert password == variables["vault_redis_replication_password"]
    ask = "redis-cli --no-auth-warning --user replication --tls --cacert /etc/rackwright/tls/ca.pem"
    ask += f" -h {machines.addresses['data1']}"
    for words in (
        "get rackwright:copied",
        "set rackwright:copied no",
        "config get '*'",
        "acl list",
        "replicaof no one",
    ):
        said = machines.inside(
            "data2",
            f"export REDISCLI_AUTH; read -r REDISCLI_AUTH; {ask} {words} 2>&1",
            data=password,
            check=False,
        )
        assert "NOPERM" in said, (words, said)
    seen = machines.inside(
        "data2", "cat /proc/[0-9]*/cmdline; cat /var/log/redis/*.log; journalctl --no-pager -q"
    )
    assert password not in seen
    assert "replication" in redis("data1", "acl list")


def test_it_is_measured(
    metrics: Callable[[str, int], str], reached: Callable[[str], Any], redis: Ask
) -> None:
    await_up(redis, "data2")
    assert re.search(r"^redis_master_link_up\{.*\} 1", metrics("data2", 9121), re.MULTILINE)
    assert re.search(r"^redis_connected_slave_lag_seconds\{.*\} [0-9]", metrics("data1", 9121), re.MULTILINE)
    assert reached("redis") == {"data1:6379": "1", "data2:6379": "1"}


def test_another_leader_in_the_inventory_alone_is_refused(machines: Machines, redis: Ask) -> None:
    status, said = machines.play("playbooks/redis.yml", "data1,data2", redis_primary="data2")
    assert status != 0
    assert "promote_redis.yml" in said, said
    assert (state(redis, "data1")["role"], state(redis, "data2")["role"]) == ("master", "slave")
    status, said = machines.play("playbooks/redis.yml", "data1,data2")
    assert status == 0, said


def test_nothing_acknowledged_is_lost_when_one_hands_over(
    machines: Machines, redis: Ask, variables: Mapping[str, Any], promote: Promote
) -> None:
    write(machines, str(variables["vault_redis_app_password"]), "data1", 0, "plain")
    status, said = promote("data2", "data1,data2")
    assert status == 0, said
    assert (state(redis, "data2")["role"], await_up(redis, "data1")["role"]) == ("master", "slave")
    acknowledged = numbers(machines)
    # It was refused in the end, since it wrote to the former: and until then a lot was written.
    assert len(acknowledged) > 100
    assert kept(redis, "data2", acknowledged) == acknowledged
    # Nothing is left to do, and callers are led there.
    status, said = machines.play("playbooks/redis.yml", "data1,data2", redis_primary="data2")
    assert status == 0, said
    assert set(re.findall(r"changed=(\d+)", said)) == {"0"}, said


def test_nothing_that_wait_confirmed_is_lost_when_the_one_that_leads_is_killed(
    machines: Machines, redis: Ask, variables: Mapping[str, Any], promote: Promote
) -> None:
    await_up(redis, "data1")
    write(machines, str(variables["vault_redis_app_password"]), "data2", 100_000, "wait")
    machines.inside(
        "data2", "systemctl mask --runtime -q redis-server && systemctl kill -s KILL redis-server"
    )
    confirmed = numbers(machines)
    assert len(confirmed) > 50
    try:
        status, said = promote("data1", "data1")
        assert status == 0, said
        assert state(redis, "data1")["role"] == "master"
        assert kept(redis, "data1", confirmed) == confirmed
    finally:
        machines.inside("data2", "systemctl unmask --runtime -q redis-server")


def test_the_former_follows_when_it_is_back_and_what_it_had_is_kept(machines: Machines, redis: Ask) -> None:
    machines.inside("data2", "systemctl start redis-server")
    # By itself it leads, called by nobody; it had something that the other never got.
    assert redis("data2", "set rackwright:alone 1") == "OK"
    status, said = machines.play("playbooks/redis.yml", "data1,data2")
    assert status == 0, said
    found = await_up(redis, "data2")
    assert (found["role"], found["master_link_status"]) == ("slave", "up")
    assert redis("data2", "exists rackwright:alone") == "0"
    told = machines.inside("data2", "redis-check-rdb /var/lib/redis/before-following.rdb")
    assert re.search(r"[1-9]\d* keys read", told)
    status, said = machines.play("playbooks/redis.yml", "data1,data2")
    assert set(re.findall(r"changed=(\d+)", said)) == {"0"}, said
