"""A site of one server: all zones share a machine, and the outside still reaches the edge alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from conftest import IMAGE, SERVE, six
from machines import Machines

from rackwright.catalogue.plan import host_plan
from rackwright.sizing.machine import Machine

EDGE, APP, STORES = "edge1", 3001, (5432, 6379)
# Of a container, and none of the tests' listeners has it.
PUBLISHED = 9998
EVERYTHING = ("app", "container_hosts", "edge", "inference", "monitoring", "postgresql", "redis")


@pytest.fixture(scope="module")
def server(machines: Machines) -> Iterator[Machines]:
    """The rules of edge1 when everything runs on it, and a container published on all addresses."""
    machines.inside(EDGE, f"docker image inspect -f x firewall-test:1 >/dev/null 2>&1 || {IMAGE}")
    machines.inside(EDGE, "docker rm -f everywhere", check=False)
    machines.inside(EDGE, f"docker run -d --name everywhere -p 0.0.0.0:{PUBLISHED}:80 {SERVE}")
    rules_of_one(machines, machines.site.hosts[EDGE].address)
    yield machines
    machines.inside(EDGE, "docker rm -f everywhere", check=False)
    assert machines.apply(EDGE)[0] == 0


def rules_of_one(machines: Machines, address: str) -> None:
    """Applies what a site has whose one server has this address."""
    groups = {**machines.site.groups, **dict.fromkeys(EVERYTHING, (EDGE,)), "platform": (EDGE,)}
    host = replace(machines.site.hosts[EDGE], address=address)
    outside = machines.site.outside
    if ":" in address:
        outside = {name: replace(each, address=six(each.address)) for name, each in outside.items()}
    alone = replace(machines.site, groups=groups, hosts={EDGE: host}, outside=outside)
    rules = host_plan(alone, EDGE, Machine(memory_mb=32768, cpus=8))["firewall"]
    code, output = machines.apply(EDGE, firewall_rules=rules)
    assert code == 0, output


def opened(machines: Machines, source: str, address: str) -> set[int]:
    """The ports that a machine reaches."""
    answers = machines.probe([source], [(address, port) for port in (*machines.ports, PUBLISHED)])[source]
    return {port for (_, port), result in answers.items() if result == "open"}


def as_user(server: Machines, user: str, port: int) -> bool:
    """Whether a program of an account opens a connection to a port of its own host."""
    address = server.addresses[EDGE]
    script = f"import socket; socket.create_connection(('{address}', {port}), 2)"
    command = (
        f'setpriv --reuid={user} --regid={user} --clear-groups python3 -c "{script}" 2>/dev/null && echo yes'
    )
    return server.inside(EDGE, command, check=False) == "yes"


def test_the_outside_reaches_the_edge_and_no_store(server: Machines) -> None:
    assert opened(server, "outside1", server.addresses[EDGE]) == {80, 443}
    assert opened(server, "app1", server.addresses[EDGE]) == set()


def test_what_the_outside_speaks_with_cannot_call_a_store_beside_it(server: Machines) -> None:
    assert as_user(server, "www-data", APP)
    for port in STORES:
        assert not as_user(server, "www-data", port)
        # The app's own account is not confined: that it gets in is for the store's password to say.
        assert as_user(server, "daemon", port)


def test_a_container_reaches_no_store_of_its_host(server: Machines) -> None:
    for port in (*STORES, 22):
        command = f"docker exec everywhere /bin/busybox nc -w 2 {server.addresses[EDGE]} {port} </dev/null"
        assert server.inside(EDGE, f"{command} && echo open", check=False) != "open"


def test_the_same_over_ipv6(server: Machines, dual: Machines) -> None:
    address = six(dual.addresses[EDGE])
    # A site of IPv4 alone is closed over the other.
    assert opened(server, "outside1", address) == set()
    rules_of_one(server, address)
    assert opened(server, "outside1", address) == {80, 443}
    assert opened(server, "app1", address) == set()
