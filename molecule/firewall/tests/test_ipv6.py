"""The same over IPv6: closed where a site has none, and as the catalogue says where it has."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from machines import UNDECLARED, Machines

from rackwright.catalogue.plan import host_plan
from rackwright.catalogue.probes import probe_matrix
from rackwright.sizing.machine import Machine

SWITCH_ON = "sysctl -qw net.ipv6.conf.all.disable_ipv6=0 net.ipv6.conf.default.disable_ipv6=0"
MACHINE = Machine(memory_mb=2048, cpus=2)


def six(address: str) -> str:
    """The IPv6 address that a machine gets beside its IPv4 one."""
    third, last = address.split(".")[2:]
    return f"fd79:0:0:{third}::{last}"


@pytest.fixture(scope="module")
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


def found(machines: Machines) -> dict[tuple[str, str, int], str]:
    """What comes of every connection over IPv6."""
    targets = [(six(host.address), port) for host in machines.site.hosts.values() for port in machines.ports]
    owners = {six(host.address): host.name for host in machines.site.hosts.values()}
    answers = machines.probe(machines.containers, targets)
    return {
        (source, owners[address], port): result
        for source, results in answers.items()
        for (address, port), result in results.items()
        if owners[address] != source
    }


def test_a_site_without_ipv6_is_closed_over_it(dual: Machines) -> None:
    answers = found(dual)

    assert {pair: result for pair, result in answers.items() if result in {"open", "refused"}} == {}
    assert len(answers) > 300


@pytest.fixture
def six_everywhere(dual: Machines) -> Iterator[Machines]:
    """The rules that the same site has when its hosts' addresses are IPv6."""
    site = dual.site
    hosts, outside = (
        {name: replace(host, address=six(host.address)) for name, host in group.items()}
        for group in (site.hosts, site.outside)
    )
    moved = replace(site, hosts=hosts, outside=outside)
    rules = {name: host_plan(moved, name, MACHINE)["firewall"] for name in hosts}
    code, output = dual.apply("platform", my_rules=rules, firewall_rules="{{ my_rules[inventory_hostname] }}")
    assert code == 0, output
    yield dual
    assert dual.apply("platform")[0] == 0


def test_every_pair_is_as_the_catalogue_says_over_ipv6(six_everywhere: Machines) -> None:
    expected = probe_matrix(six_everywhere.site, UNDECLARED)
    answers = found(six_everywhere)

    wrong = {pair: answers[pair] for pair in expected if (answers[pair] == "open") != expected[pair]}
    assert wrong == {}
    assert sum(expected.values()) > 5
