"""Fifty hosts in one pass: the inventory that stands for them. The pass itself is in molecule/site."""

from __future__ import annotations

from pathlib import Path

from rackwright.bench.preflight import HOSTS, fifty_hosts
from rackwright.site.inventory import load_inventory
from rackwright.site.paths import repository_root

LAB = repository_root() / "inventories/lab"


def test_fifty_names_in_their_zones(tmp_path: Path) -> None:
    inventory = load_inventory([LAB, fifty_hosts(tmp_path, [LAB])])
    platform = inventory.members("platform")
    assert len(platform) == HOSTS
    addresses = {inventory.hosts[name].variables["ansible_host"] for name in platform}
    assert len(addresses) == HOSTS
    machines = {inventory.hosts[name].variables.get("ansible_ssh_host") for name in platform}
    assert len(machines - {None}) == 4
    paths = [inventory.hosts[name].variables.get("ansible_control_path") for name in platform]
    assert len(set(paths) - {None}) == HOSTS - 4
