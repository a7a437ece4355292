"""From a host's flows to the ruleset: what the filters decide, and what the template makes of it."""

from __future__ import annotations

import ipaddress
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, TypeAlias

import pytest
import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template
from hypothesis import given
from hypothesis import strategies as st

from rackwright.plan.firewall_words import flows_of

Rules: TypeAlias = dict[str, Any]
Render: TypeAlias = Callable[[Rules], str]

ROLE = Path(__file__).parents[2] / "roles/firewall"
TEMPLATE = ROLE / "templates/etc/rackwright/firewall.nft.j2"


def _part(match: re.Match[str]) -> str:
    return (ROLE / "templates" / match[1]).read_text()


@pytest.fixture(scope="module")
def filters(load: Callable[[str, str], ModuleType]) -> ModuleType:
    return load("filter", "firewall")


@pytest.fixture(scope="module")
def render() -> Render:
    """The ruleset for a host's rules, as the role makes it."""
    from ansible.plugins.loader import filter_loader  # noqa: PLC0415 - reads its configuration at import

    filter_loader.add_directory(str(Path(__file__).parents[2] / "plugins/filter"))
    defaults = yaml.safe_load((ROLE / "defaults/main.yml").read_text())
    whole = re.sub(r"{% include '([^']+)' %}", _part, TEMPLATE.read_text())
    text = trust_as_template(whole)

    def rendered(rules: Rules) -> str:
        variables = {
            **defaults,
            "firewall_ssh_port": 22,
            "firewall_rules": rules,
            "ansible_managed": "managed",
        }
        result = Templar(loader=DataLoader(), variables=variables).template(text)
        assert isinstance(result, str)
        return result

    return rendered


def flow(service: str, port: int, *peers: str, key: str = "sources", **more: object) -> dict[str, Any]:
    return {"service": service, "port_name": "api", "protocol": "tcp", "port": port, key: list(peers), **more}


RULES: Rules = {
    "management_sources": ["10.0.40.5/32"],
    "inbound": [
        flow("web", 443, "0.0.0.0/0", "::/0"),
        flow("model", 8080, "10.0.20.0/24", container_port=80),
        flow("database", 5432, "10.0.20.11/32", "10.0.20.12/32"),
    ],
    "outbound": [flow("cache", 6379, "10.0.30.11/32", key="destinations")],
}


def chain(ruleset: str, name: str) -> str:
    found = re.search(rf"^\tchain {name} \{{\n(.*?)^\t\}}", ruleset, re.MULTILINE | re.DOTALL)
    assert found is not None
    return found[1]


def test_every_direction_is_closed_unless_a_flow_opens_it(render: Render) -> None:
    ruleset = render(RULES)
    for name in ("input", "output", "forward"):
        assert "policy drop;" in chain(ruleset, name)
    accepted = [line.strip() for line in chain(ruleset, "inbound").splitlines()]
    assert accepted == [
        'ip saddr @in_database_api_tcp_5432_4 tcp dport 5432 counter accept comment "database: api"',
        'ip saddr @in_model_api_tcp_8080_4 tcp dport 8080 counter accept comment "model: api"',
        'meta nfproto ipv4 tcp dport 443 counter jump flood comment "web: api"',
        'meta nfproto ipv6 tcp dport 443 counter jump flood comment "web: api"',
    ]
    assert [line.strip() for line in chain(ruleset, "outbound").splitlines()] == [
        'ip daddr @out_cache_api_tcp_6379_4 tcp dport 6379 counter accept comment "cache: api"'
    ]


def test_only_published_ports_of_the_catalogue_lead_to_containers(render: Render) -> None:
    published = chain(render(RULES), "published")
    assert published.count("accept") == 1
    assert "ct status dnat ct original proto-dst 8080" in published
    assert "@in_model_api_tcp_8080_4" in published


def test_only_the_own_table_is_replaced(render: Render) -> None:
    ruleset = render(RULES)
    assert "flush" not in ruleset
    assert {line for line in ruleset.splitlines() if line.startswith(("table", "delete"))} == {
        "table inet rackwright",
        "delete table inet rackwright",
        "table inet rackwright {",
    }


def test_everybodys_networks_are_not_pinged(render: Render) -> None:
    ruleset = render(RULES)
    assert "set callers_6" not in ruleset
    callers = ruleset.split("set callers_4 {")[1].split("}\n")[0]
    assert callers.strip().endswith("{ 10.0.20.0/24, 10.0.40.5")


def test_a_host_without_flows_is_managed_and_nothing_else(render: Render) -> None:
    ruleset = render({"management_sources": ["fd00:40::5/128"], "inbound": None, "outbound": []})
    assert "ip6 saddr @management_6 tcp dport 22 counter accept" in ruleset
    assert chain(ruleset, "inbound").strip() == ""
    assert chain(ruleset, "outbound").strip() == ""


def test_the_order_of_the_flows_does_not_change_the_text(render: Render) -> None:
    turned = [{**entry, "sources": entry["sources"][::-1]} for entry in RULES["inbound"][::-1]]
    assert render({**RULES, "inbound": turned}) == render(RULES)


def test_a_plan_finds_every_flow_in_the_text(render: Render) -> None:
    found = flows_of(render(RULES))
    wanted = {
        (direction, f"{entry['port']}/{entry['protocol']}", peer.removesuffix("/32").removesuffix("/128"))
        for direction, key, peers in (("in", "inbound", "sources"), ("out", "outbound", "destinations"))
        for entry in RULES[key]
        for peer in entry[peers]
    }
    wanted |= {("in", "22/tcp", peer.removesuffix("/32")) for peer in RULES["management_sources"]}
    told = {(entry.direction, entry.port, entry.peer) for entry in found}
    everybody = {entry for entry in wanted if entry[2] in ("0.0.0.0/0", "::/0")}
    assert wanted - everybody <= told
    assert {entry for entry in told if not entry[2].startswith("any ")} <= wanted


def test_nft_accepts_the_text(render: Render) -> None:
    done = subprocess.run(
        ["nft", "-c", "-f", "-"], input=render(RULES), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


networks = st.one_of(
    st.tuples(st.ip_addresses(v=4), st.integers(0, 32)), st.tuples(st.ip_addresses(v=6), st.integers(0, 128))
).map(lambda pair: str(ipaddress.ip_network(pair, strict=False)))


@given(st.lists(networks, max_size=8), st.lists(networks, max_size=8))
def test_sets_hold_the_given_networks_and_no_two_overlap(
    filters: ModuleType, first: list[str], second: list[str]
) -> None:
    given_networks = [ipaddress.ip_network(value) for value in first + second]
    found = filters.firewall_flows([flow("a", 1, *first), flow("a", 1, *second)], "sources", "in")
    assert len(found) == (1 if given_networks else 0)
    for entry in found:
        for each in entry["sets"]:
            members = [ipaddress.ip_network(value) for value in each["elements"]]
            version = members[0].version
            assert sum(member.num_addresses for member in members) == sum(
                network.num_addresses
                for network in ipaddress.collapse_addresses(
                    [network for network in given_networks if network.version == version]  # type: ignore[type-var]
                )
            )
            assert not any(
                one.overlaps(other) for index, one in enumerate(members) for other in members[index + 1 :]
            )
            assert each["everybody"] == any(member.prefixlen == 0 for member in members)


def test_flows_that_read_alike_keep_sets_of_their_own(filters: ModuleType) -> None:
    flows = [
        {"service": "a-b", "port_name": "c", "port": 1, "sources": ["10.0.0.1/32"]},
        {"service": "a", "port_name": "b c", "port": 1, "sources": ["10.0.0.2/32"]},
    ]
    names = [entry["name"] for entry in filters.firewall_flows(flows, "sources", "in")]
    assert len(set(names)) == 2


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"management_sources": []}, "management_sources is empty"),
        ({"management_sources": None}, "management_sources is empty"),
        ({"management_sources": ["0.0.0.0/0"]}, "/0"),
        ({"management_sources": "10.0.0.0/24"}, "must be a list of networks"),
        ({"management_sources": ["10.0.0.5/24"]}, "write 10.0.0.0/24"),
        ({"inbound": [flow("web", 443, "somewhere")]}, "firewall_rules.inbound[0].sources holds 'somewhere'"),
        ({"inbound": [flow("web", 0, "10.0.0.0/24")]}, "port is 0"),
        ({"outbound": [flow("web", 65536, key="destinations")]}, "firewall_rules.outbound[0].port is 65536"),
        ({"inbound": [flow("web", 1, protocol="icmp")]}, "protocol is 'icmp': write one of tcp, udp"),
        ({"inbound": ["web"]}, "must be a mapping"),
        ({"in": []}, "unknown keys ['in']"),
    ],
)
def test_wrong_input_is_named_with_its_remedy(filters: ModuleType, change: Rules, words: str) -> None:
    problems = filters.firewall_problems({**RULES, **change})
    assert len(problems) == 1
    assert words in problems[0]


@pytest.mark.parametrize("seconds", [19, 601])
def test_a_time_that_nobody_can_keep_is_refused(filters: ModuleType, seconds: int) -> None:
    assert f"firewall_rollback_seconds is {seconds}" in filters.firewall_problems(RULES, seconds)[0]


def test_right_input_has_no_problems(filters: ModuleType) -> None:
    assert filters.firewall_problems(RULES) == []
    assert filters.firewall_problems("all")
