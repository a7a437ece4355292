"""What a site chooses one of, and what follows for the services that were not chosen."""

from collections.abc import Callable
from typing import Any

import pytest

from rackwright.catalogue.choices import choices_of
from rackwright.catalogue.findings import FindingsError
from rackwright.catalogue.flows import flows
from rackwright.catalogue.load import load_catalogue
from rackwright.catalogue.plan import Machine, host_plan
from rackwright.catalogue.site import Site

MakeSite = Callable[..., Site]
MACHINE = Machine(memory_mb=8192, cpus=4)
GROUP = {"vector_store": ["data1"]}


@pytest.mark.parametrize(
    ("variables", "tier", "groups", "expected"),
    [
        ({}, {"vector_store": "qdrant"}, GROUP, "qdrant"),
        # Where nothing could run it, a tier's wish costs no one a service.
        ({}, {"vector_store": "qdrant"}, {}, "pgvector"),
        ({}, {}, GROUP, "pgvector"),
        ({"vector_store": "chroma"}, {"vector_store": "qdrant"}, GROUP, "chroma"),
        # What the inventory says is not second-guessed: validate refuses it with the reason.
        ({"vector_store": "chroma"}, {}, {}, "chroma"),
        ({"vector_store": ""}, {"vector_store": "qdrant"}, GROUP, "qdrant"),
    ],
)
def test_what_a_site_has_chosen(
    variables: dict[str, Any], tier: dict[str, str], groups: dict[str, list[str]], expected: str
) -> None:
    assert choices_of(variables, tier, groups)["vector_store"] == expected


def test_the_chosen_store_runs_and_the_app_may_call_it(make_site: MakeSite) -> None:
    site = make_site(GROUP, choices={"vector_store": "chroma"})
    assert [host.name for host in site.hosts_of("chroma")] == ["data1"]
    assert ("app1", "data1", 8010) in {(flow.source, flow.dest, flow.port) for flow in flows(site)}
    plan = host_plan(site, "app1", MACHINE)
    assert plan["vector_store"] == {"kind": "chroma", "urls": [f"https://{plan['addresses']['data1']}:8010"]}
    assert "chroma" in host_plan(site, "data1", MACHINE)["roles"]


def test_objects_are_served_to_those_who_are_named_and_nobody_else(make_site: MakeSite) -> None:
    groups = {"object_store": ["data1"], "object_clients": ["app1"]}
    site = make_site(groups, choices={"object_store": "rclone"})
    found = {(flow.source, flow.port) for flow in flows(site) if flow.service == "rclone"}
    assert found == {("app1", 9000), ("ops1", 9001)}
    plan = host_plan(site, "data1", MACHINE)
    assert plan["object_store"] == {"kind": "rclone", "urls": [f"https://{plan['address']}:9000"]}
    without = host_plan(make_site(), "data1", MACHINE)
    assert without["object_store"] == {"kind": "folder", "urls": []}
    assert "rclone" not in {*without["services"], *without["roles"], *without["budget"]["services"]}


def test_the_log_server_takes_lines_of_every_host_and_of_nobody_else(make_site: MakeSite) -> None:
    site = make_site({"log_store": ["ops1"]}, choices={"log_store": "files"})
    found = {(flow.source, flow.dest) for flow in flows(site) if flow.service == "log_server"}
    assert found == {(host, "ops1") for host in site.hosts}
    plan = host_plan(site, "app1", MACHINE)
    assert plan["log_intake"] == {"kind": "files", "urls": [f"relp://{plan['addresses']['ops1']}:2514"]}
    assert plan["zones"] == {name: host.zone for name, host in site.hosts.items()}
    store = host_plan(site, "ops1", MACHINE)
    assert "log_server" in store["roles"]
    # It takes no memory from its neighbours, and what a site has not chosen costs it nothing.
    assert "log_server" not in store["budget"]["services"]
    assert not {"elasticsearch", "log_server"} & {*host_plan(make_site(), "ops1", MACHINE)["services"]}


def test_one_engine_is_the_edge_and_the_other_costs_nothing(make_site: MakeSite) -> None:
    plans = {
        engine: host_plan(make_site({}, choices={"edge_engine": engine}), "edge1", MACHINE)
        for engine in ("nginx", "haproxy", "traefik")
    }
    for engine, plan in plans.items():
        assert plan["edge_engine"] == {"kind": engine, "urls": []}
        assert engine in plan["services"]
        others = {other for other in plans if other != engine}
        assert not others & {*plan["services"], *plan["roles"], *plan["settings"]}
        # What is served, and what the edge may call, is the same.
        assert plan["edge"] == plans["nginx"]["edge"]
        assert plan["firewall"]["outbound"] == plans["nginx"]["firewall"]["outbound"]
    assert plans["traefik"]["listen"]["traefik"]["files"] == {"address": "127.0.0.1", "port": 8182}
    # What serves files for Traefik is called by nobody else, and by the edge's own account.
    (may,), (usual,) = (plans[engine]["firewall"]["confined"] for engine in ("traefik", "nginx"))
    assert set(may["ports"]) - set(usual["ports"]) == {8182}
    opened = {
        engine: {rule["port"] for rule in plan["firewall"]["inbound"]} for engine, plan in plans.items()
    }
    assert {80, 443} <= opened["nginx"] & opened["haproxy"] & opened["traefik"]
    assert 8182 not in opened["traefik"]


def test_a_site_that_says_nothing_has_nginx(make_site: MakeSite) -> None:
    assert choices_of({}, {}, {"edge": ["edge1"]})["edge_engine"] == "nginx"
    assert [host.name for host in make_site({}).hosts_of("nginx")] == ["edge1"]
    assert make_site({}).hosts_of("haproxy") == ()


def test_kibana_asks_the_log_store_and_the_edge_passes_its_path_on(make_site: MakeSite) -> None:
    groups = {"log_store": ["ops1"], "kibana": ["ops1"], "container_hosts": ["ops1"]}
    site = make_site(groups, choices={"log_store": "elasticsearch"})
    found = {(flow.source, flow.dest, flow.port) for flow in flows(site)}
    assert ("edge1", "ops1", 5601) in found
    assert ("app1", "ops1", 5601) not in found
    plan = host_plan(site, "edge1", MACHINE)
    routes = [route for route in plan["edge"] if route["service"] == "kibana"]
    assert [(route["site"], route["path"], route["tls"], route["access"]) for route in routes] == [
        ("monitoring", "/kibana/", True, "admins")
    ]


def test_lines_go_by_logstash_where_the_site_has_one(make_site: MakeSite) -> None:
    choice = {"log_store": "elasticsearch"}
    groups = {"log_store": ["ops1"], "container_hosts": ["ops1"]}
    straight = host_plan(make_site(groups, choices=choice), "data1", MACHINE)
    assert straight["log_intake"] == straight["log_store"]
    site = make_site({**groups, "logstash": ["ops1"]}, choices=choice)
    plan = host_plan(site, "data1", MACHINE)
    assert plan["log_intake"] == {"kind": "logstash", "urls": [f"https://{plan['addresses']['ops1']}:5044"]}
    found = {(flow.source, flow.dest, flow.port) for flow in flows(site)}
    assert ("data1", "ops1", 5044) in found
    # How it is, it tells its own host alone.
    assert not [flow for flow in flows(site) if flow.port == 9600 and flow.source != flow.dest]


def test_a_store_that_was_not_chosen_costs_nothing(make_site: MakeSite) -> None:
    site = make_site(GROUP, choices={"vector_store": "pgvector"})
    plan = host_plan(site, "data1", MACHINE)
    assert plan["vector_store"] == {"kind": "pgvector", "urls": []}
    assert "chroma" not in {*plan["services"], *plan["roles"], *plan["budget"]["services"]}
    assert not [flow for flow in flows(site) if flow.service == "chroma"]


@pytest.mark.parametrize(
    ("changes", "variable"),
    [
        ({"when": {"vector_shop": "redis"}}, "services.redis.when"),
        ({"when": {"vector_store": "redis"}}, "services.redis.ports"),
    ],
)
def test_what_is_selected_is_called_in_one_way(
    services: dict[str, Any], zone_policy: dict[str, Any], changes: dict[str, Any], variable: str
) -> None:
    services["redis"] = {**services["redis"], **changes}
    with pytest.raises(FindingsError) as caught:
        load_catalogue(services, zone_policy)
    assert [finding.variable for finding in caught.value.findings] == [variable]
