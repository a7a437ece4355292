"""`rackwright size` on the lab's inventory and on hosts that do not say what they have."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from click.testing import CliRunner

from rackwright.catalogue.load import load_catalogue
from rackwright.catalogue.site import Site, place
from rackwright.cli.size import size
from rackwright.site.inventory import Host, Inventory
from rackwright.sizing.host import HostSizing
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


SCAN = {
    "system": {"virtualization": "none"},
    "cpu": {"threads": 32, "cores": 16},
    "memory_mb": 65536,
    "disks": [{"name": "sda", "kind": "hdd"}, {"name": "nvme0n1", "kind": "nvme"}],
    "filesystems": [
        {"mount": "/", "disk": "sda", "size_mb": 200_000},
        {"mount": "/var/lib", "disk": "nvme0n1", "size_mb": 1_812_000},
        {"mount": "/var/lib/docker", "disk": "sda", "size_mb": 300_000},
        {"mount": "/var/log", "disk": "sda", "size_mb": 50_000},
    ],
    "gpus": [],
}


def sized(given: tuple[Inventory, Site], memory_mb: int | None = None, cpus: int | None = None) -> HostSizing:
    (report,) = size_site(*given, memory_mb=memory_mb, cpus=cpus)
    assert report.sizing is not None, report.problem
    return report.sizing


def test_settings_follow_from_the_budget_and_the_hosts_variables() -> None:
    given = {
        "host_memory_mb": 4096,
        "host_cpus": 4,
        "postgresql_storage": "hdd",
        "postgresql_connections": 50,
    }
    service = sized(tiny(given)).services["postgresql"]
    assert service.parts["memory_mb"].value == 4096 - 512
    assert service.settings.values["shared_buffers"] == "896MB"
    assert service.settings.values["random_page_cost"] == "4"
    assert service.settings.values["max_connections"] == "50"


def test_options_stand_in_for_what_a_host_does_not_say_and_only_for_that() -> None:
    unsaid = sized(tiny({}), memory_mb=8192, cpus=2).budget
    assert (unsaid.memory_mb, unsaid.cpus) == (8192, 2)
    said = sized(tiny({"host_memory_mb": 4096}), memory_mb=8192, cpus=2).budget
    assert said.memory_mb == 4096


def test_the_inventory_wins_over_the_scan_and_the_scan_over_nothing() -> None:
    scanned = sized(tiny({"hardware": SCAN})).request.machine
    assert (scanned.memory_mb, scanned.cpus, scanned.cores) == (65536, 32, 16)
    assert scanned.disk_gb == 1900
    assert scanned.storage == "nvme"
    assert scanned.source("memory_mb") == "scan"
    told = {"hardware": SCAN, "host_memory_mb": 4096, "host_disk_gb": 100}
    changed = sized(tiny(told)).request.machine
    assert (changed.memory_mb, changed.cpus, changed.disk_gb) == (4096, 32, 100)
    assert changed.source("disk_gb") == "host_disk_gb of the inventory"


def test_a_host_of_unknown_size_is_named_with_what_to_write() -> None:
    (report,) = size_site(*tiny({"host_memory_mb": 4096}))
    assert report.problem is not None
    assert "host db1: what it has in cores is not known: host_cpus is not set" in report.problem.message
    assert "rackwright scan" in (report.problem.hint or "")
    assert "--cpus" in (report.problem.hint or "")


def test_services_that_do_not_fit_are_refused_by_host() -> None:
    (report,) = size_site(*tiny({"host_memory_mb": 400, "host_cpus": 1}))
    assert report.problem is not None
    assert "host db1" in report.problem.message
    assert "give it" in (report.problem.hint or "")


def test_one_host_that_cannot_be_sized_does_not_hide_the_others(tmp_path: Path) -> None:
    """The command shows what it can, says what is missing, and ends with 1."""
    (tmp_path / "hosts.yml").write_text("all: {hosts: {ops1: {}}}\n", encoding="utf-8")
    (tmp_path / "host_vars").mkdir()
    (tmp_path / "host_vars" / "ops1.yml").write_text(
        "{host_memory_mb: null, host_cpus: null, hardware: null}\n", encoding="utf-8"
    )
    lab = str(Path(__file__).parents[3] / "inventories" / "lab")
    done = subprocess.run(
        [str(Path(sys.executable).with_name("rackwright")), "size", "-i", lab, "-i", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "data1: 2048 MB" in done.stdout
    assert "host ops1: what it has in memory and cores is not known" in done.stderr
    assert "rackwright scan" in done.stderr


def test_json_on_the_lab_holds_every_reason() -> None:
    lab = Path(__file__).parents[3] / "inventories" / "lab"
    outcome = CliRunner().invoke(size, ["--json", "-i", str(lab)], catch_exceptions=False)
    assert outcome.exit_code == 0
    hosts = {host["host"]: host for host in json.loads(outcome.stdout)}
    settings = hosts["data1"]["services"]["postgresql"]["settings"]
    assert settings["shared_buffers"]["setting"] == "336MB"
    assert all(item["rule"] and item["source"] for item in settings.values())
    assert set(hosts["edge1"]["services"]) == {"nginx"}
    assert hosts["app1"]["services"]["app"]["settings"]["pool_size"]["value"] == 8
    assert hosts["app1"]["tier"] == "lab"
    assert hosts["app1"]["kernel"]["net.core.somaxconn"]["value"] == 4096


def test_the_table_explains_on_request() -> None:
    lab = str(Path(__file__).parents[3] / "inventories" / "lab")
    plain = CliRunner().invoke(size, ["-i", lab], catch_exceptions=False).stdout
    explained = CliRunner().invoke(size, ["-i", lab, "--explain"], catch_exceptions=False).stdout
    assert "max_parallel_workers_per_gather" in plain
    assert "memory / 4" not in plain
    assert "memory / 4 [memory_mb 1344] (the deployment plan" in " ".join(explained.split())
