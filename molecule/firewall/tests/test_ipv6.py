"""The same over IPv6: closed where a site has none, and as the catalogue says where it has."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from conftest import six
from machines import UNDECLARED, Machines

from rackwright.catalogue.plan import host_plan
from rackwright.catalogue.probes import probe_matrix
from rackwright.sizing.machine import Machine

MACHINE = Machine(memory_mb=2048, cpus=2)


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
