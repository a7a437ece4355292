"""Who reaches what: every machine connects to every port, and the catalogue says what must come out."""

import pytest
from machines import UNDECLARED, Machines

from rackwright.catalogue.probes import probe_matrix

Targets = list[tuple[str, int]]


def test_something_listens_on_every_port_of_every_machine(machines: Machines, all_targets: Targets) -> None:
    # Without this a port that nobody serves would pass for one that the firewall closes.
    answers = machines.probe(machines.site.hosts, all_targets)
    at_home = {
        (host, port): answers[host][machines.addresses[host], port]
        for host in machines.site.hosts
        for port in machines.ports
    }
    assert {where: result for where, result in at_home.items() if result != "open"} == {}


def test_every_pair_of_machines_is_as_the_catalogue_says(machines: Machines, all_targets: Targets) -> None:
    expected = probe_matrix(machines.site, UNDECLARED)
    answers = machines.probe(machines.containers, all_targets)
    found = {
        (source, host, port): answers[source][machines.addresses[host], port] == "open"
        for source, host, port in expected
    }
    wrong = {
        pair: f"{'open' if found[pair] else 'closed'}" for pair in expected if found[pair] != expected[pair]
    }
    assert wrong == {}
    # The catalogue that this lab has: neither everything nor nothing is open.
    assert 0 < sum(expected.values()) < len(expected) / 4


@pytest.mark.usefixtures("sources_without_a_firewall")
def test_the_host_that_is_called_decides_alone(machines: Machines, all_targets: Targets) -> None:
    # Somebody who has taken a machine takes its own rules away first. What is open to anybody stays open.
    declared = probe_matrix(machines.site, UNDECLARED)
    expected = {
        (source, host, port): allowed or declared["outside1", host, port]
        for (source, host, port), allowed in declared.items()
    }
    answers = machines.probe(machines.containers, all_targets)
    found = {pair: answers[pair[0]][machines.addresses[pair[1]], pair[2]] for pair in expected}
    assert {pair: found[pair] for pair in expected if (found[pair] == "open") != expected[pair]} == {}


def test_outside_reaches_the_edge_by_http_and_https_only(machines: Machines, all_targets: Targets) -> None:
    answers = machines.probe(["outside1"], all_targets)["outside1"]
    edge = machines.addresses["edge1"]
    assert {target for target, result in answers.items() if result == "open"} == {(edge, 80), (edge, 443)}


def test_nothing_on_the_platform_opens_a_connection_to_the_outside(machines: Machines) -> None:
    outside = [(machines.addresses["outside1"], port) for port in machines.ports]
    answers = machines.probe(machines.site.hosts, outside)
    assert {result for results in answers.values() for result in results.values()} == {"unreachable"}


def test_data_reaches_nothing_but_the_package_proxy(machines: Machines) -> None:
    proxy = str(machines.site.package_proxy).removeprefix("http://").split(":")
    gateway = (proxy[0], int(proxy[1]))
    targets = [gateway, (proxy[0], 22), (machines.addresses["app1"], 22), (machines.addresses["edge1"], 443)]
    answers = machines.probe(["data1"], targets)["data1"]
    assert [target for target, result in answers.items() if result == "open"] == [gateway]


def test_ping_goes_only_where_a_flow_goes(machines: Machines) -> None:
    def answers(source: str, target: str) -> bool:
        command = f"ping -q -c 1 -W 1 {machines.addresses[target]} >/dev/null && echo yes || true"
        return machines.inside(source, command) == "yes"

    assert answers("app1", "data1")
    assert not answers("data1", "outside1")
    assert not answers("outside1", "data1")
    assert not answers("edge1", "data1")


def test_what_is_refused_is_counted_and_logged_within_bounds(machines: Machines) -> None:
    def denied() -> int:
        counter = machines.inside("data1", "nft list counter inet rackwright denied_in")
        return int(counter.split("packets ")[1].split()[0])

    before = denied()
    machines.probe(["outside1"], [(machines.addresses["data1"], 5432)], timeout=0.5)
    assert denied() > before
    assert machines.table("data1").count("limit rate 5/second burst 10 packets log prefix") == 4
