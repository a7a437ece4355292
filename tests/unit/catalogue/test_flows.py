from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sample_site import ADDRESSES, variables

from rackwright.catalogue.findings import FindingsError
from rackwright.catalogue.flows import flows, policy_findings
from rackwright.catalogue.load import Catalogue, load_catalogue
from rackwright.catalogue.plan import Machine, host_plan
from rackwright.catalogue.probes import probe_matrix
from rackwright.catalogue.site import Site, place
from rackwright.errors import RackwrightError

MakeSite = Callable[..., Site]


def pairs(site: Site) -> set[tuple[str, str, int]]:
    return {(flow.source, flow.dest, flow.port) for flow in flows(site)}


def test_flows_of_the_platform(site: Site) -> None:
    assert pairs(site) == {
        ("any", "edge1", 80),
        ("any", "edge1", 443),
        ("edge1", "app1", 3001),
        ("app1", "app1", 8080),
        ("app1", "data1", 5432),
        ("app1", "data1", 6379),
        # Were there others, they would copy each other.
        ("data1", "data1", 6379),
        ("ops1", "app1", 8080),
        ("ops1", "app1", 9091),
        *(("management", host, 22) for host in site.hosts),
        # Who watches asks every host, and the edge as a user does.
        *(("ops1", host, port) for host in site.hosts for port in (9100, 9115, 9256)),
        ("ops1", "edge1", 9113),
        ("ops1", "edge1", 443),
        ("ops1", "data1", 9187),
        ("ops1", "data1", 9121),
        *(("ops1", "ops1", port) for port in (9090, 9093, 9094)),
    }


def test_every_caller_has_a_flow_to_every_host_of_the_service(make_site: MakeSite) -> None:
    site = make_site(
        groups={
            "platform": ["edge1", "app1", "app2", "data1", "ops1"],
            "zone_app": ["app1", "app2"],
            "app": ["app1", "app2"],
        }
    )
    assert {("edge1", "app1", 3001), ("edge1", "app2", 3001)} <= pairs(site)
    assert {("app1", "data1", 5432), ("app2", "data1", 5432)} <= pairs(site)
    assert ("app2", "app1", 8080) in pairs(site)


def test_an_administrator_inside_may_open_ssh_from_its_own_host(make_site: MakeSite) -> None:
    site = make_site(management_sources=["10.0.40.0/24"])
    assert {("ops1", host, 22) for host in site.hosts} <= pairs(site)
    assert ("app1", "data1", 22) not in pairs(site)


@pytest.mark.parametrize(
    ("service", "port", "caller", "told"),
    [
        (
            "postgresql",
            "sql",
            "service:nginx",
            ("service:nginx", "the zone dmz (edge1) may not call the zone data"),
        ),
        ("redis", "tls", "group:edge", ("group:edge", "the zone dmz (edge1) may not call the zone data")),
        ("app", "api", "service:postgresql", ("service:postgresql", "the zone data (data1) may not call")),
        ("postgresql", "sql", "any", ("any", "the outside may not call the zone data")),
        ("app", "api", "any", ("any", "the outside may not call the zone app")),
    ],
)
def test_the_policy_of_the_zones_holds(
    services: dict[str, Any], make_site: MakeSite, service: str, port: str, caller: str, told: tuple[str, str]
) -> None:
    services[service]["ports"][port]["callers"].append(caller)
    site = make_site()
    (finding,) = policy_findings(site)
    assert finding.variable == f"services.{service}.ports.{port}.callers"
    assert finding.value == told[0]
    assert told[1] in finding.rule
    assert finding.hint
    with pytest.raises(FindingsError):
        flows(site)


def test_a_host_may_call_itself_whatever_its_zone(make_site: MakeSite) -> None:
    site = make_site(groups={"redis": ["data1"], "app": ["data1"], "edge": [], "inference": []})
    assert ("data1", "data1", 6379) in pairs(site)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"groups": {"zone_app": []}}, "host app1 is in no zone"),
        ({"groups": {"zone_data": ["data1", "app1"]}}, "host app1 is in the zones app, data"),
        ({"addresses": ADDRESSES | {"app1": "app1.example"}}, "ansible_host of app1 is 'app1.example'"),
        ({"zones": {"dmz": {"cidr": "10.0.0.0/24"}, "lan": {"cidr": "10.0.1.0/24"}}}, "zones has 'lan'"),
    ],
)
def test_a_site_that_cannot_be_placed(make_site: MakeSite, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(RackwrightError, match=message):
        make_site(**changes)


def test_probe_matrix(site: Site) -> None:
    matrix = probe_matrix(site, undeclared_ports=[31337])
    allowed = {probe for probe, verdict in matrix.items() if verdict}
    assert allowed == {
        ("outside1", "edge1", 80),
        ("outside1", "edge1", 443),
        ("edge1", "app1", 3001),
        ("app1", "data1", 5432),
        ("app1", "data1", 6379),
        ("ops1", "app1", 8080),
        ("ops1", "app1", 9091),
        *(("ops1", host, port) for host in ("edge1", "app1", "data1") for port in (9100, 9115, 9256)),
        ("ops1", "edge1", 9113),
        ("ops1", "edge1", 443),
        ("ops1", "data1", 9187),
        ("ops1", "data1", 9121),
    }
    # Also the ports of services that this site does not run, further instances' among them.
    ports = {port.port for service in site.catalogue.services.values() for port in service.ports.values()}
    ports |= {31337}
    assert {22, 443, 8080, 11434, 8000, 8007} < ports
    sources, dests = {*site.hosts, "outside1"}, set(site.hosts)
    assert set(matrix) == {(s, d, p) for s in sources for d in dests if s != d for p in ports}


def test_a_client_outside_that_administers_reaches_ssh(make_site: MakeSite) -> None:
    matrix = probe_matrix(make_site(management_sources=["192.0.2.11/32"]))
    assert all(matrix["outside1", host, 22] for host in ("edge1", "app1", "data1", "ops1"))


@cache
def project_catalogue() -> Catalogue:
    return load_catalogue(variables("services")["services"], variables("zones")["zone_policy"])


NAMES = [f"h{number}" for number in range(6)]
ZONES = ["dmz", "app", "data", "ops"]


# Where the services may stand without a caller that the policy forbids.
LEGAL_ZONES = ["dmz", "dmz", "app", "app", "data", "ops"]
LEGAL_HOSTS = {
    "edge": NAMES[:2],
    "app": NAMES[2:4],
    "inference": NAMES[2:4],
    "container_hosts": NAMES[2:4],
    "postgresql": NAMES[2:5],
    # Copies call each other, and so may not be divided among zones that may not.
    "redis": NAMES[2:4],
    "monitoring": NAMES[5:],
}


def random_site(zones: list[str], members: dict[str, list[str]]) -> Site:
    groups = {"platform": NAMES, "outside": [], **members}
    groups |= {f"zone_{zone}": [n for n, z in zip(NAMES, zones, strict=True) if z == zone] for zone in ZONES}
    return place(
        project_catalogue(),
        name="random",
        domain="r.example",
        groups=groups,
        addresses={
            name: f"10.0.{ZONES.index(zone)}.{i}"
            for i, (name, zone) in enumerate(zip(NAMES, zones, strict=True))
        },
        zones={zone: {"cidr": f"10.0.{i}.0/24"} for i, zone in enumerate(ZONES)},
        management_sources=["192.0.2.0/24"],
    )


# How fast it is proves nothing.
@given(
    members=st.fixed_dictionaries(
        {group: st.lists(st.sampled_from(hosts), unique=True) for group, hosts in LEGAL_HOSTS.items()}
    )
)
def test_firewalls_on_both_sides_agree_with_the_matrix(members: dict[str, list[str]]) -> None:
    """Over random placements: a pair is in the matrix exactly when one side lets it out and the other in."""
    site = random_site(LEGAL_ZONES, members)
    rules = {name: host_plan(site, name, Machine(memory_mb=16384, cpus=4))["firewall"] for name in NAMES}
    policy = site.catalogue.zone_policy
    for (source, dest, port), allowed in probe_matrix(site).items():
        out = any(
            rule["port"] == port and site.hosts[dest].cidr in rule["destinations"]
            for rule in rules[source]["outbound"]
        )
        into = any(
            rule["port"] == port and {site.hosts[source].cidr, "0.0.0.0/0"} & set(rule["sources"])
            for rule in rules[dest]["inbound"]
        )
        assert allowed == (out and into)
        if allowed:
            assert site.hosts[dest].zone in policy[site.hosts[source].zone].may_call


# How fast it is proves nothing.
@given(
    zones=st.lists(st.sampled_from(ZONES), min_size=6, max_size=6),
    members=st.fixed_dictionaries(
        {group: st.lists(st.sampled_from(NAMES), unique=True, max_size=4) for group in LEGAL_HOSTS}
    ),
)
def test_no_placement_gets_a_flow_past_the_policy(zones: list[str], members: dict[str, list[str]]) -> None:
    site = random_site(zones, members)
    if policy_findings(site):
        with pytest.raises(FindingsError):
            flows(site)
        return
    policy = site.catalogue.zone_policy
    for flow in flows(site):
        dest = site.hosts[flow.dest].zone
        if flow.source == "any":
            assert policy[dest].reached_from_outside
        elif flow.source not in {"management", flow.dest}:
            assert dest in policy[site.hosts[flow.source].zone].may_call
