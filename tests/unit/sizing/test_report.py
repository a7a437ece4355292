"""`rackwright size` on the lab's inventory and on hosts that do not say what they have."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from rackwright.catalogue.load import load_catalogue
from rackwright.catalogue.site import Site, place
from rackwright.cli.size import size
from rackwright.errors import RackwrightError
from rackwright.site.inventory import Host, Inventory
from rackwright.sizing.report import size_site

ZONES = {"data": {"title": "Data", "description": "State", "may_call": []}}
DATABASE = {
    "title": "PostgreSQL",
    "group": "postgresql",
    "role": "postgresql",
    "unit": "postgresql.service",
    "memory": {"weight": 6, "minimum_mb": 256},
    "ports": {"sql": {"port": 5432, "callers": ["management"]}},
    "health": {"kind": "postgresql", "port": "sql"},
    "metrics": {"none": "not asked here"},
    "logs": [{"journal": "postgresql.service"}],
    "state": {"none": "not asked here"},
}


def tiny(variables: dict[str, object]) -> tuple[Inventory, Site]:
    groups = {"platform": ("db1",), "zone_data": ("db1",), "postgresql": ("db1",)}
    site = place(
        load_catalogue({"postgresql": DATABASE}, ZONES),
        name="tiny",
        domain="tiny.internal",
        groups=groups,
        addresses={"db1": "10.9.0.5"},
        zones={"data": {"cidr": "10.9.0.0/24"}},
        management_sources=["10.9.0.1/32"],
    )
    host = Host("db1", tuple(groups), variables)
    return Inventory((Path("tiny"),), {"db1": host}, groups, ()), site


def test_settings_follow_from_the_budget_and_the_hosts_variables() -> None:
    given = {
        "host_memory_mb": 4096,
        "host_cpus": 4,
        "postgresql_storage": "hdd",
        "postgresql_connections": 50,
    }
    (report,) = size_site(*tiny(given))
    (service,) = report.services
    assert service.budget.memory_mb == 4096 - 512
    assert service.values["shared_buffers"] == "896MB"
    assert service.values["random_page_cost"] == "4"
    assert service.values["max_connections"] == "50"


def test_options_stand_in_for_what_a_host_does_not_say_and_only_for_that() -> None:
    (unsaid,) = size_site(*tiny({}), memory_mb=8192, cpus=2)
    assert (unsaid.budget.memory_mb, unsaid.budget.cpus) == (8192, 2)
    (said,) = size_site(*tiny({"host_memory_mb": 4096}), memory_mb=8192, cpus=2)
    assert said.budget.memory_mb == 4096


def test_a_host_of_unknown_size_is_named_with_what_to_write() -> None:
    with pytest.raises(RackwrightError) as refused:
        size_site(*tiny({"host_memory_mb": 4096}))
    assert "host db1: host_cpus is not set" in refused.value.message
    assert "--cpus" in (refused.value.hint or "")


def test_services_that_do_not_fit_are_refused_by_host() -> None:
    with pytest.raises(RackwrightError) as refused:
        size_site(*tiny({"host_memory_mb": 400, "host_cpus": 1}))
    assert "host db1" in refused.value.message
    assert "give it" in (refused.value.hint or "")


def test_json_on_the_lab_holds_every_reason() -> None:
    lab = Path(__file__).parents[3] / "inventories" / "lab"
    outcome = CliRunner().invoke(size, ["--json", "-i", str(lab)], catch_exceptions=False)
    assert outcome.exit_code == 0
    hosts = {host["host"]: host for host in json.loads(outcome.stdout)}
    settings = hosts["data1"]["services"]["postgresql"]["settings"]
    assert settings["shared_buffers"]["setting"] == "336MB"
    assert all(item["rule"] and item["source"] for item in settings.values())
    assert hosts["edge1"]["services"] == {}


def test_the_table_explains_on_request() -> None:
    lab = str(Path(__file__).parents[3] / "inventories" / "lab")
    plain = CliRunner().invoke(size, ["-i", lab], catch_exceptions=False).stdout
    explained = CliRunner().invoke(size, ["-i", lab, "--explain"], catch_exceptions=False).stdout
    assert "max_parallel_workers_per_gather" in plain
    assert "memory / 4" not in plain
    assert "memory / 4" in explained
