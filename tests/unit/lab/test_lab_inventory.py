from __future__ import annotations

from ipaddress import IPv4Address
from pathlib import Path

import pytest
from lab_sample import GROUPS, variables

from rackwright.errors import RackwrightError
from rackwright.lab.inventory import build_lab, read_lab
from rackwright.lab.model import Lab
from rackwright.site.paths import repository_root


def test_networks_are_the_zones_and_the_outside(lab: Lab) -> None:
    assert {n.zone: (n.name, str(n.cidr), str(n.controller), str(n.gateway)) for n in lab.networks} == {
        "dmz": ("rw-sample-dmz", "10.9.10.0/24", "10.9.10.1", "10.9.10.254"),
        "app": ("rw-sample-app", "10.9.20.0/24", "10.9.20.1", "10.9.20.254"),
        "outside": ("rw-sample-outside", "10.9.50.0/24", "10.9.50.1", "10.9.50.254"),
    }


def test_hosts_stand_where_their_address_says(lab: Lab) -> None:
    assert {host.name: host.network.zone for host in lab.hosts} == {
        "edge1": "dmz",
        "app1": "app",
        "outside1": "outside",
    }
    by_name = {host.name: host for host in lab.hosts}
    assert by_name["outside1"].extra_addresses == (IPv4Address("203.0.113.10"),)
    assert by_name["edge1"].extra_addresses == ()
    assert by_name["app1"].docker_volume == "rw-sample-app1-docker"
    assert by_name["edge1"].docker_volume is None
    assert by_name["app1"].inference


@pytest.mark.parametrize(
    ("host", "address", "says"),
    [
        ("edge1", "192.0.2.1", "none of the lab's networks"),
        ("edge1", "10.9.10.1", "own address"),
        ("app1", "10.9.20.254", "own address"),
        ("app1", "app1.example", "ansible_host"),
    ],
)
def test_wrong_addresses_are_refused(tmp_path: Path, host: str, address: str, says: str) -> None:
    values = variables(tmp_path)
    values[host]["ansible_host"] = address
    with pytest.raises(RackwrightError, match=says):
        build_lab(values, GROUPS)


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("lab_name", "Not a Name", "lab_name"),
        ("zones", {"dmz": {"cidr": "10.9.10.0/28"}}, "10.9.10.0/28"),
        ("lab", {"outside_cidr": "10.9.50.0/24", "denied_client": "203.0.113.10"}, "gateway_octet"),
    ],
)
def test_wrong_settings_are_named(tmp_path: Path, name: str, value: object, says: str) -> None:
    with pytest.raises(RackwrightError, match=says):
        build_lab(variables(tmp_path, **{name: value}), GROUPS)


def test_a_real_sites_inventory_is_no_lab(tmp_path: Path) -> None:
    values = variables(tmp_path)
    for host in values.values():
        del host["lab"]
    with pytest.raises(RackwrightError, match="not a lab"):
        build_lab(values, GROUPS)


def test_overlay_makes_another_lab_of_the_same_inventory(tmp_path: Path) -> None:
    overlay = tmp_path / "hosts.yml"
    overlay.write_text('all: {vars: {lab_name: second, lab_prefix: "10.98"}}\n')
    base = repository_root() / "inventories" / "lab"
    first, second = read_lab([base]), read_lab([base, overlay])
    assert [host.name for host in first.hosts] == [host.name for host in second.hosts]
    assert second.name == "second"
    assert all(str(host.address).startswith("10.98.") for host in second.hosts)
    assert not {h.container for h in first.hosts} & {h.container for h in second.hosts}
    assert not {n.name for n in first.networks} & {n.name for n in second.networks}
    assert second.directory == repository_root() / ".lab" / "second"
