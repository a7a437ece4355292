"""A copy of Redis, by the role's own files and two real servers: promotion loses nothing."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from redis_pair import ADDRESSES, ADMIN, COPIES, SECONDS, Host, pair

Pair = tuple[Host, Host]


@pytest.fixture
def hosts(tmp_path: Path) -> Iterator[Pair]:
    """Two hosts, of which the first leads."""
    made = pair(tmp_path)
    yield made
    for host in made:
        host.kill()


class Writer(threading.Thread):
    """Writes numbered keys until it is refused; `acknowledged` has those that were confirmed."""

    def __init__(self, host: Host, *, wait: bool) -> None:
        super().__init__(daemon=True)
        self.acknowledged: set[int] = set()
        self.begun = threading.Event()
        self._client, self._wait = host.client(), wait

    def run(self) -> None:
        """Write."""
        for number in range(1_000_000):
            try:
                self._client.set(f"rackwright:n:{number}", number)
                confirmed = not self._wait or self._client.wait(1, 1000) == 1
            except redis.RedisError:
                return
            if confirmed:
                self.acknowledged.add(number)
            # Something to lose.
            if number == 300:
                self.begun.set()


def written(host: Host) -> set[int]:
    """Return the numbers that a server has."""
    return {int(key.rpartition(":")[2]) for key in host.client().scan_iter("rackwright:n:*", count=1000)}


def places(hosts: Pair) -> list[str]:
    return [host.replication()["role"] for host in hosts]


def test_a_copy_follows_by_a_user_that_can_do_nothing_else(hosts: Pair) -> None:
    one, two = hosts
    assert two.replication()["master_host"] == one.address
    one.client().set("rackwright:a", "1")
    assert one.client().wait(1, 5000) == 1
    assert two.client().get("rackwright:a") == "1"
    with pytest.raises(redis.ReadOnlyError):
        two.client().set("rackwright:a", "2")
    with one.client("replication", COPIES) as copies:
        assert copies.execute_command("REPLCONF", "listening-port", "1") == "OK"
        for words in (
            ("GET", "rackwright:a"),
            ("CONFIG", "GET", "*"),
            ("ACL", "LIST"),
            ("REPLICAOF", "NO", "ONE"),
        ):
            with pytest.raises(redis.exceptions.NoPermissionError):
                copies.execute_command(*words)
    # Without TLS nobody follows, nor is anybody followed.
    assert one.ask("config", "get", "port").split()[-1] == "0"
    assert two.ask("config", "get", "tls-replication").split()[-1] == "yes"


def test_another_leader_in_the_inventory_alone_changes_nothing(hosts: Pair) -> None:
    for host in hosts:
        host.configure(ADDRESSES["two"])
        done = host.run("redis-reload")
        assert done.returncode != 0
        assert "playbooks/promote_redis.yml" in done.stderr
    assert places(hosts) == ["master", "slave"]
    for host in hosts:
        host.configure(ADDRESSES["one"])
        assert host.run("redis-reload").returncode == 0
    assert places(hosts) == ["master", "slave"]


def test_nothing_acknowledged_is_lost_while_one_hands_over(hosts: Pair) -> None:
    one, two = hosts
    writer = Writer(one, wait=False)
    writer.start()
    assert writer.begun.wait(SECONDS)
    done = two.run("redis-promote")
    writer.join()
    assert (done.returncode, done.stdout.strip()) == (0, f"{one.address} has handed over"), done.stderr
    one.await_copying()
    assert places(hosts) == ["slave", "master"]
    assert writer.acknowledged - written(two) == set()
    # What the role writes then is what runs already.
    for host in hosts:
        host.configure(ADDRESSES["two"])
        assert host.run("redis-reload").returncode == 0
    assert places(hosts) == ["slave", "master"]
    assert two.run("redis-promote").stdout.strip() == "it leads already"


def test_nothing_that_wait_confirmed_is_lost_when_the_leader_is_killed(hosts: Pair) -> None:
    one, two = hosts
    writer = Writer(one, wait=True)
    writer.start()
    assert writer.begun.wait(SECONDS)
    one.kill()
    writer.join()
    done = two.run("redis-promote")
    assert done.returncode == 0, done.stderr
    assert "does not answer" in done.stdout
    assert two.replication()["role"] == "master"
    assert writer.acknowledged - written(two) == set()

    # It is back, leads by itself, and has what the other never got: that is kept when it follows.
    one.start()
    one.client().set("rackwright:alone", "1")
    two.configure(ADDRESSES["two"])
    one.configure(ADDRESSES["two"])
    assert one.run("redis-reload").returncode == 0
    one.await_copying()
    assert one.client().get("rackwright:alone") is None
    assert b"rackwright:alone" in one.file("before-following.rdb").read_bytes()
    assert written(one) == written(two)


def test_a_leader_that_answers_is_not_passed_over_by_a_copy_that_is_behind(hosts: Pair) -> None:
    one, two = hosts
    two.client("admin", ADMIN).config_set("masterauth", "not-the-one-that-counts")
    one.ask("client", "kill", "type", "replica")
    ends = time.monotonic() + SECONDS
    while two.replication()["master_link_status"] == "up":
        assert time.monotonic() < ends
        time.sleep(0.05)
    done = two.run("redis-promote")
    assert done.returncode != 0
    assert "is not up to date" in done.stderr
    assert places(hosts) == ["master", "slave"]
