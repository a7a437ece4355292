"""Something listens on every port of every machine, so that only the firewall can keep a caller out."""

from collections.abc import Iterator

import pytest
from machines import BY_HAND, CONTAINER, UNDECLARED, Machines

from rackwright.catalogue.probes import probe_matrix

# From a static program: the lab has no registry to take an image from.
IMAGE = "tar -C / -c bin/busybox | docker import - firewall-test:1"
SERVE = "firewall-test:1 /bin/busybox httpd -f -p 80 -h /"
SWITCH_ON = "sysctl -qw net.ipv6.conf.all.disable_ipv6=0 net.ipv6.conf.default.disable_ipv6=0"


def six(address: str) -> str:
    """The IPv6 address that a machine gets beside its IPv4 one."""
    third, last = address.split(".")[2:]
    return f"fd79:0:0:{third}::{last}"


def other_than_declared(machines: Machines, host: str) -> dict[tuple[str, str, int], str]:
    """What comes of every connection to a host that the catalogue wants otherwise."""
    address = machines.addresses[host]
    answers = machines.probe(machines.containers, [(address, port) for port in machines.ports])
    return {
        pair: answers[pair[0]][address, pair[2]]
        for pair, allowed in probe_matrix(machines.site, UNDECLARED).items()
        if pair[1] == host and (answers[pair[0]][address, pair[2]] == "open") != allowed
    }


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
def dual(machines: Machines) -> Machines:
    """Every machine, and the gateway, with an address of each family."""
    legs = "; ".join(
        (
            "ip -o -4 address show scope global | while read -r _ leg _ four _",
            'do set -- $(echo "${four%/*}" | tr . " ")',
            '[ "$1.$2" = 10.79 ] && ip -6 address replace "fd79:0:0:$3::$4/64" dev "${leg%%@*}" nodad',
            "done",
            "true",
        )
    )
    machines.on_gateway(f"{SWITCH_ON} net.ipv6.conf.all.forwarding=1; {legs}")
    for host in machines.containers:
        machines.inside(host, f"{SWITCH_ON} net.ipv6.conf.eth0.accept_dad=0; {legs}")
        gateway = six(machines.gateway_of(host))
        machines.inside(host, f"ip -6 route replace default via {gateway}")
        machines.inside(host, "systemctl restart firewall-test-listeners 2>/dev/null || true", check=False)
    return machines


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
