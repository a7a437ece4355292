"""What the catalogue says of backups."""

from typing import Any

import yaml

from rackwright.catalogue.backups import backup_plan
from rackwright.catalogue.load import load_catalogue
from rackwright.catalogue.plan import Machine, host_plan
from rackwright.catalogue.site import Site, place
from rackwright.site.paths import repository_root


def site(choices: dict[str, str] | None = None, **groups: list[str]) -> Site:
    values: dict[str, Any] = {}
    for name in ("services", "zones"):
        path = repository_root() / f"group_vars/all/{name}.yml"
        values |= yaml.safe_load(path.read_text(encoding="utf-8"))
    hosts = ["app1", "data1", "ops1"]
    return place(
        load_catalogue(values["services"], values["zone_policy"]),
        name="test",
        domain="test.example",
        groups={
            "platform": hosts,
            "zone_app": ["app1"],
            "zone_data": ["data1"],
            "zone_ops": ["ops1"],
            "app": ["app1"],
            "postgresql": ["data1"],
            "redis": ["data1"],
            **groups,
        },
        addresses={"app1": "10.0.20.11", "data1": "10.0.30.11", "ops1": "10.0.40.11"},
        zones={
            "app": {"cidr": "10.0.20.0/24"},
            "data": {"cidr": "10.0.30.0/24"},
            "ops": {"cidr": "10.0.40.0/24"},
        },
        management_sources=["10.0.99.0/24"],
        choices=choices or {},
    )


def test_a_site_without_a_backup_host_pays_nothing() -> None:
    for host in ("app1", "data1", "ops1"):
        assert backup_plan(site(), host) == {"stores": {}, "repositories": [], "kept": [], "packages": []}
        assert not {"backup", "backup_store"} & set(site().services_of(host))


def test_what_has_state_is_kept_and_watched() -> None:
    found = site(backup=["ops1"])
    assert found.groups["backed_up"] == ["data1"]
    kept = backup_plan(found, "ops1")["kept"]
    assert [(store["name"], store["kind"]) for store in kept] == [
        ("data1/postgresql", "postgresql"),
        ("data1/redis", "redis"),
    ]
    mine = backup_plan(found, "data1")
    assert mine["kept"] == []
    assert mine["repositories"] == [{"host": "ops1", "address": "10.0.40.11"}]
    assert mine["stores"]["redis"] == {
        "kind": "redis",
        "directory": "/var/lib/redis",
        "unit": "redis-server.service",
    }
    assert list(backup_plan(found, "app1")["stores"]) == []


def test_a_host_is_told_what_its_kinds_need_and_the_backup_host_what_proofs_do() -> None:
    qdrant = {"vector_store": "qdrant"}
    found = site(qdrant, backup=["ops1"], mariadb=["data1"], mongodb=["data1"], vector_store=["data1"])
    stores = backup_plan(found, "data1")["stores"]
    assert stores["mariadb"]["unit"] == "mariadb.service"
    assert (stores["mongodb"]["container"], stores["mongodb"]["server"]) == ("mongodb", "data1")
    # The vector store's key is for hosts with a store whose API is asked.
    assert {name for name, store in stores.items() if "api_key_file" in store} == {"qdrant"}
    assert stores["qdrant"]["url"] == "https://10.0.30.11:6333"
    assert backup_plan(found, "ops1")["packages"] == ["mariadb-client-core", "mariadb-server-core"]
    assert backup_plan(found, "data1")["packages"] == []
    assert backup_plan(site(backup=["ops1"]), "ops1")["packages"] == []


def test_the_flows_of_backups_are_two() -> None:
    found = site(backup=["ops1"])
    machine = Machine(memory_mb=2048, cpus=2)
    out = {
        (rule["service"], rule["port"], *rule["destinations"])
        for rule in host_plan(found, "data1", machine)["firewall"]["outbound"]
    }
    assert out == {("backup", 8432, "10.0.40.11/32")}
    reached = {
        (rule["service"], tuple(rule["sources"]))
        for rule in host_plan(found, "ops1", machine)["firewall"]["inbound"]
    }
    assert ("backup", ("10.0.30.11/32",)) in reached
