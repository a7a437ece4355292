import json
from collections.abc import Callable

import pytest

from rackwright.catalogue.plan import Machine, host_plan, proxy_endpoint
from rackwright.catalogue.site import Site
from rackwright.errors import RackwrightError

MakeSite = Callable[..., Site]
MACHINE = Machine(memory_mb=2048, cpus=2)


def test_plan_of_a_data_host(make_site: MakeSite) -> None:
    site = make_site(package_proxy="http://10.0.40.254:3142")
    plan = host_plan(site, "data1", MACHINE)
    assert plan["site"] == "test"
    assert plan["domain"] == "test.example"
    assert (plan["host"], plan["zone"], plan["address"]) == ("data1", "data", "10.0.30.11")
    exporters = ["process_exporter", "blackbox_exporter", "postgres_exporter", "redis_exporter"]
    assert plan["services"] == ["sshd", "node_exporter", "host_metrics", *exporters, "postgresql", "redis"]
    assert plan["roles"] == [
        *("base", "firewall", "tls", "hardening", "node_exporter", "exporters", "postgresql", "redis")
    ]
    assert plan["packages"] == [
        *("prometheus-blackbox-exporter", "prometheus-postgres-exporter", "prometheus-process-exporter"),
        "prometheus-redis-exporter",
    ]
    assert set(plan["exporters"]) == set(exporters)
    assert set(plan["addresses"]) == {"edge1", "app1", "data1", "ops1"}
    assert plan["listen"]["postgresql"] == {"sql": {"address": "10.0.30.11", "port": 5432}}
    assert "app" not in plan["listen"]
    assert plan["endpoints"]["app"]["api"] == [{"host": "app1", "address": "10.0.20.11", "port": 3001}]
    assert plan["endpoints"]["docker"] == {}
    assert plan["callers"]["postgresql"]["sql"] == [{"host": "app1", "cidr": "10.0.20.11/32"}]
    assert plan["firewall"]["management_sources"] == ["10.0.99.0/24"]
    assert {
        "service": "postgresql",
        "port_name": "sql",
        "protocol": "tcp",
        "port": 5432,
        "sources": ["10.0.20.11/32"],
        "container_port": None,
    } in plan["firewall"]["inbound"]
    # The data zone opens nothing but the way to packages.
    assert plan["firewall"]["outbound"] == [
        {
            "service": "package_proxy",
            "port_name": "http",
            "protocol": "tcp",
            "port": 3142,
            "destinations": ["10.0.40.254/32"],
        }
    ]
    assert plan["certificates"][1] == {
        "service": "postgresql",
        "owner": "root",
        "group": "postgres",
        "addresses": ["10.0.30.11"],
        "names": ["data1", "data1.test.example", "postgresql.test.example"],
    }
    assert {
        "service": "postgresql",
        "kind": "postgresql",
        "address": "10.0.30.11",
        "port": 5432,
        "unit": "postgresql.service",
    } in plan["health"]
    json.dumps(plan)


def test_the_budget_stays_within_the_machine(site: Site) -> None:
    budget = host_plan(site, "data1", MACHINE)["budget"]
    assert budget["memory_mb"] == 2048
    assert set(budget["services"]) == {"postgresql", "redis"}
    given = sum(share["memory_mb"] for share in budget["services"].values())
    assert 0 < given <= budget["memory_mb"] - budget["reserve_mb"]


def test_plan_of_the_edge(site: Site) -> None:
    plan = host_plan(site, "edge1", MACHINE)
    assert plan["callers"]["nginx"]["https"] == [
        {"host": "any", "cidr": "0.0.0.0/0"},
        {"host": "ops1", "cidr": "10.0.40.11/32"},
    ]
    certificate = next(entry for entry in plan["certificates"] if entry["service"] == "nginx")
    assert certificate["names"] == [
        "edge1",
        "edge1.test.example",
        "api.test.example",
        "ai.test.example",
        "dify.test.example",
        "monitoring.test.example",
    ]
    health = next(entry for entry in plan["health"] if entry["service"] == "nginx")
    assert health["host"] == "api.test.example"
    assert (health["kind"], health["port"], health["path"], health["status"]) == (
        "https",
        443,
        "/health",
        200,
    )
    assert [rule["service"] for rule in plan["firewall"]["outbound"]] == ["app"]


def test_plan_of_an_app_host_with_a_container(site: Site) -> None:
    plan = host_plan(site, "app1", MACHINE)
    inbound = {(rule["service"], rule["port_name"]): rule for rule in plan["firewall"]["inbound"]}
    assert inbound["llama_cpp", "api"]["container_port"] == 8080
    # app1 asks its own model server over its loopback: no rule, though pg_hba and the like must know it.
    assert inbound["llama_cpp", "api"]["sources"] == ["10.0.40.11/32"]
    assert {"host": "app1", "cidr": "10.0.20.11/32"} in plan["callers"]["llama_cpp"]["api"]
    health = {entry["service"]: entry for entry in plan["health"]}
    assert health["llama_cpp"]["container"] == "llama_cpp"
    assert health["docker"] == {
        "service": "docker",
        "kind": "unit",
        "address": "10.0.20.11",
        "unit": "docker.service",
    }


def test_names_and_time_are_reached_when_the_site_has_servers(make_site: MakeSite) -> None:
    site = make_site(dns_servers=["10.0.40.53"], ntp_servers=["10.0.40.12", "10.0.40.13"])
    outbound = host_plan(site, "data1", MACHINE)["firewall"]["outbound"]
    found = {(rule["service"], rule["protocol"], rule["port"], *rule["destinations"]) for rule in outbound}
    assert found == {
        ("dns", "udp", 53, "10.0.40.53/32"),
        ("dns", "tcp", 53, "10.0.40.53/32"),
        ("ntp", "udp", 123, "10.0.40.12/32", "10.0.40.13/32"),
    }


def test_ipv6(make_site: MakeSite) -> None:
    addresses = {"edge1": "fd00:10::11", "app1": "fd00:20::11", "data1": "fd00:30::11", "ops1": "fd00:40::11"}
    zones = {
        name: {"cidr": f"fd00:{number}::/64"}
        for name, number in (("dmz", 10), ("app", 20), ("data", 30), ("ops", 40))
    }
    site = make_site(
        addresses=addresses, zones=zones, groups={"outside": []}, management_sources=["fd00:99::/64"]
    )
    assert host_plan(site, "edge1", MACHINE)["callers"]["nginx"]["https"] == [
        {"host": "any", "cidr": "::/0"},
        {"host": "ops1", "cidr": "fd00:40::11/128"},
    ]
    assert host_plan(site, "data1", MACHINE)["callers"]["redis"]["tls"] == [
        {"host": "app1", "cidr": "fd00:20::11/128"},
        {"host": "data1", "cidr": "fd00:30::11/128"},
    ]


def test_a_host_outside_gets_no_plan(site: Site) -> None:
    with pytest.raises(RackwrightError, match="outside1 is not in the group `platform`"):
        host_plan(site, "outside1", MACHINE)


def test_services_that_do_not_fit_are_refused(site: Site) -> None:
    with pytest.raises(RackwrightError, match="MB"):
        host_plan(site, "data1", Machine(memory_mb=400, cpus=1))


@pytest.mark.parametrize(
    ("url", "endpoint"),
    [
        ("http://10.0.0.5:3142", ("10.0.0.5", 3142)),
        ("http://10.0.0.5", ("10.0.0.5", 80)),
        ("https://[fd00::5]/", ("fd00::5", 443)),
    ],
)
def test_proxy_endpoint(url: str, endpoint: tuple[str, int]) -> None:
    assert proxy_endpoint(url) == endpoint


@pytest.mark.parametrize(
    "url", ["10.0.0.5:3142", "http://proxy.example:3142", "ftp://10.0.0.5", "http://10.0.0.5:x"]
)
def test_a_proxy_that_the_firewall_cannot_open(url: str) -> None:
    with pytest.raises(RackwrightError, match="package_proxy") as caught:
        proxy_endpoint(url)
    assert caught.value.hint
