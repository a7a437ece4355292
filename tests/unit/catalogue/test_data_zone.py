"""What a host more in the data zone's groups means: who may call it, and what it costs a site without it."""

from __future__ import annotations

from collections.abc import Callable

from rackwright.catalogue.flows import flows
from rackwright.catalogue.plan import Machine, host_plan
from rackwright.catalogue.site import Site

MakeSite = Callable[..., Site]
MACHINE = Machine(memory_mb=8192, cpus=4)


def called(site: Site, service: str) -> set[tuple[str, str, int]]:
    found = {(flow.source, flow.dest, flow.port) for flow in flows(site) if flow.service == service}
    return {flow for flow in found if flow[0] != flow[1]}


def test_mariadb_is_called_by_its_clients_and_asked_by_who_measures(make_site: MakeSite) -> None:
    site = make_site({"mariadb": ["data1"], "mariadb_clients": ["app1"]})
    assert called(site, "mariadb") == {("app1", "data1", 3306)}
    plan = host_plan(site, "data1", MACHINE)
    assert {"mariadb"} <= set(plan["services"]) & set(plan["roles"]) & set(plan["settings"])
    assert [caller["cidr"] for caller in plan["callers"]["mariadb"]["sql"]] == [
        f"{site.hosts['app1'].address}/32"
    ]
    asked = [entry for entry in plan["health"] if entry["service"] == "mariadb"]
    assert [(entry["kind"], entry["port"]) for entry in asked] == [("mariadb", 3306)]
    without = host_plan(make_site(), "data1", MACHINE)
    assert "mariadb" not in {*without["services"], *without["roles"], *without["settings"]}


def test_probers_speak_tls_to_those_alone_who_begin_with_it(make_site: MakeSite) -> None:
    site = make_site(
        {
            "mariadb": ["data1"],
            "mariadb_clients": ["app1"],
            "monitoring": ["ops1"],
            "monitored": list(make_site().hosts),
        }
    )
    (probes,) = [job for job in host_plan(site, "ops1", MACHINE)["scrape"]["jobs"] if job["name"] == "probes"]
    modules = {group["labels"]["service"]: group["labels"]["__param_module"] for group in probes["groups"]}
    assert modules.items() >= {"mariadb": "tcp", "postgresql": "tcp", "redis": "tls"}.items()


def test_hosts_with_redis_may_copy_each_other_and_one_alone_calls_nobody(make_site: MakeSite) -> None:
    assert called(make_site(), "redis") == {("app1", "data1", 6379)}
    # Which of two hosts leads may change, so both may call the other, and callers both.
    site = make_site({"redis": ["data1", "ops1"]})
    assert called(site, "redis") >= {("data1", "ops1", 6379), ("ops1", "data1", 6379)}
    one, two = (host_plan(site, name, MACHINE)["settings"]["redis"] for name in ("data1", "ops1"))
    assert "repl-backlog-size" in one
    assert "repl-backlog-size" in two
    assert "repl-backlog-size" not in host_plan(make_site(), "data1", MACHINE)["settings"]["redis"]


def test_mongodb_is_called_by_its_clients_and_costs_a_site_without_it_nothing(make_site: MakeSite) -> None:
    groups = {"mongodb": ["data1"], "mongodb_clients": ["app1"], "container_hosts": ["data1"]}
    site = make_site(groups)
    assert called(site, "mongodb") == {("app1", "data1", 27017)}
    plan = host_plan(site, "data1", MACHINE)
    assert {"mongodb"} <= set(plan["services"]) & set(plan["roles"]) & set(plan["settings"])
    asked = [entry for entry in plan["health"] if entry["service"] == "mongodb"]
    assert [(entry["kind"], entry["port"]) for entry in asked] == [("mongodb", 27017)]
    without = host_plan(make_site(), "data1", MACHINE)
    assert "mongodb" not in {*without["services"], *without["roles"], *without["settings"]}
