"""`rackwright gpu plan`: the decision for a site, from its inventory alone."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from rackwright.cli.gpu import gpu_group
from rackwright.drivers.site import site_plans, wishes_of
from rackwright.errors import RackwrightError
from rackwright.site.paths import repository_root

GPU = {
    "pci_address": "0000:01:00.0",
    "pci_id": "10de:1b38",
    "model": "Tesla P40",
    "architecture": "pascal",
    "compute_capability": "6.1",
    "vram_mb": 24576,
    "driver": None,
    "mig": None,
    "nvlink_peers": [],
}
HARDWARE = {
    "system": {
        "distribution": "Debian",
        "version": "13",
        "codename": "trixie",
        "kernel": "6.12.117+deb13-amd64",
        "architecture": "x86_64",
        "virtualization": "none",
        "secure_boot": False,
        "python": "3.13",
    },
    "cpu": {"model": "any", "sockets": 1, "cores": 8, "threads": 16},
    "memory_mb": 65536,
    "numa": [],
    "disks": [],
    "filesystems": [],
    "network": [],
    "gpus": [GPU],
    "nvswitch": False,
}


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """The lab's inventory without what was scanned, app1 with a GPU."""
    inventory = tmp_path / "lab"
    lab = repository_root() / "inventories/lab"
    shutil.copytree(lab, inventory, ignore=shutil.ignore_patterns("hardware.yml", "vault.yml", "pki"))
    folder = inventory / "host_vars/app1"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "hardware.yml").write_text(yaml.safe_dump({"hardware": HARDWARE}), encoding="utf-8")
    return inventory


def test_the_site_is_planned_from_its_files(site: Path) -> None:
    plans = site_plans([site])
    assert list(plans) == ["app1"]
    assert (plans["app1"].branch, plans["app1"].flavour) == (550, "proprietary")


def test_what_the_inventory_asks_for_counts(site: Path) -> None:
    (site / "host_vars/app1/gpu.yml").write_text(
        "nvidia_driver_branch: 610\nnvidia_driver_flavour: auto\n", encoding="utf-8"
    )
    plan = site_plans([site])["app1"]
    assert plan.action == "refuse"
    assert "580 is the last" in plan.reason
    result = CliRunner().invoke(gpu_group, ["plan", "-i", str(site), "--json"])
    assert result.exit_code == 1
    assert '"action": "refuse"' in result.output


def test_a_site_that_was_not_scanned_says_so(site: Path) -> None:
    (site / "host_vars/app1/hardware.yml").unlink()
    with pytest.raises(RackwrightError, match="no host of this site was scanned"):
        site_plans([site])


def test_a_scan_of_the_wrong_shape_names_the_host(site: Path) -> None:
    path = site / "host_vars/app1/hardware.yml"
    path.write_text(yaml.safe_dump({"hardware": {**HARDWARE, "memory_mb": "much"}}), encoding="utf-8")
    with pytest.raises(RackwrightError, match="hardware of app1"):
        site_plans([site])


def test_wishes_leave_out_what_means_nothing() -> None:
    asked = {"nvidia_driver_branch": 0, "nvidia_driver_flavour": "auto", "nvidia_driver_source": "nvidia"}
    wishes = wishes_of(asked)
    assert (wishes.branch, wishes.flavour, wishes.source) == (None, None, "nvidia")
