"""Something listens on every port of every machine, so that only the firewall can keep a caller out."""

from collections.abc import Iterator

import pytest
from machines import BY_HAND, CONTAINER, Machines

# From a static program: the lab has no registry to take an image from.
IMAGE = "tar -C / -c bin/busybox | docker import - firewall-test:1"
SERVE = "firewall-test:1 /bin/busybox httpd -f -p 80 -h /"


@pytest.fixture(scope="session")
def machines() -> Machines:
    """The machines, with listeners everywhere and published containers on app1."""
    found = Machines()
    found.inside("app1", f"docker image inspect -f x firewall-test:1 >/dev/null 2>&1 || {IMAGE}")
    for name, port in (("declared", 8080), ("undeclared", CONTAINER)):
        found.inside(
            "app1",
            f"docker inspect {name} >/dev/null 2>&1 || docker run -d --name {name} -p {port}:80 {SERVE}",
        )
    for host in found.containers:
        found.listen(host)
    return found


@pytest.fixture(scope="session")
def all_targets(machines: Machines) -> list[tuple[str, int]]:
    """Every port of every machine of the platform."""
    return [(host.address, port) for host in machines.site.hosts.values() for port in machines.ports]


@pytest.fixture
def opened_by_hand(machines: Machines) -> int:
    """A port that somebody opened on data1 with nft."""
    machines.inside("data1", f"nft add rule inet rackwright inbound tcp dport {BY_HAND} accept")
    return BY_HAND


@pytest.fixture
def sources_without_a_firewall(machines: Machines) -> Iterator[None]:
    """Every machine may open anything for the time of one test."""
    for host in machines.site.hosts:
        machines.inside(host, "nft insert rule inet rackwright output accept")
    yield
    code, output = machines.apply("platform")
    assert code == 0, output
    # What was put in by hand is gone everywhere.
    assert output.count("changed=1") == len(machines.site.hosts)
