"""The filters as plays use them: what resolve.yml sets is what the package says."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from sample_site import ADDRESSES, GROUPS

from rackwright.catalogue.plan import Machine, host_plan
from rackwright.catalogue.site import Site
from rackwright.site.inventory import load_inventory
from rackwright.site.load import site_of
from rackwright.site.paths import repository_root
from rackwright.sizing.variables import intent_from

ROOT = repository_root()
PLAYBOOK = f"""
- hosts: platform
  gather_facts: false
  become: false
  vars: {{host_facts: {{memory_mb: 99999, cpus: 64}}}}
  tasks:
    - ansible.builtin.import_tasks: {ROOT}/playbooks/tasks/resolve.yml
    - ansible.builtin.copy:
        content: "{{{{ host_plan | to_json }}}}"
        dest: "{{{{ target }}}}/{{{{ inventory_hostname }}}}.json"
        mode: "0600"
      delegate_to: localhost
      vars: {{ansible_connection: local, ansible_python_interpreter: "{sys.executable}"}}
"""


@pytest.fixture(scope="module")
def filters() -> dict[str, Any]:
    spec = importlib.util.spec_from_file_location("catalogue_filter", ROOT / "plugins/filter/catalogue.py")
    assert spec is not None
    assert spec.loader is not None
    module: ModuleType = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return dict(module.FilterModule().filters())


@pytest.fixture
def site_input(zone_policy: dict[str, Any]) -> dict[str, Any]:
    """What resolve.yml hands over."""
    return {
        "zone_policy": zone_policy,
        "name": "test",
        "domain": "test.example",
        "zones": {zone: {"cidr": f"10.0.{number}0.0/24"} for number, zone in enumerate(zone_policy, 1)},
        "groups": GROUPS,
        "names": list(ADDRESSES),
        "addresses": list(ADDRESSES.values()),
        "management_sources": ["10.0.99.0/24"],
        "package_proxy": "",
        "dns_servers": [],
        "ntp_servers": [],
    }


def test_host_plan(
    filters: dict[str, Any], services: dict[str, Any], site_input: dict[str, Any], site: Site
) -> None:
    plan = filters["host_plan"](services, site_input, "data1", {}, {"memory_mb": 2048, "cpus": 2})
    assert plan == host_plan(site, "data1", Machine(memory_mb=2048, cpus=2))


def test_probe_matrix(filters: dict[str, Any], services: dict[str, Any], site_input: dict[str, Any]) -> None:
    matrix = filters["probe_matrix"](services, site_input, [31337])
    assert {"source": "app1", "dest": "data1", "port": 5432, "allowed": True} in matrix
    assert {"source": "edge1", "dest": "data1", "port": 5432, "allowed": False} in matrix
    assert {"source": "app1", "dest": "data1", "port": 31337, "allowed": False} in matrix


def test_an_error_says_what_to_do(
    filters: dict[str, Any], services: dict[str, Any], site_input: dict[str, Any]
) -> None:
    with pytest.raises(AnsibleFilterError, match=r"host_plan of outside1: .*\nhint: "):
        filters["host_plan"](services, site_input, "outside1", {}, {"memory_mb": 2048, "cpus": 2})


def test_a_play_gets_the_same_plan(tmp_path: Path) -> None:
    """The lab's inventory through ansible-playbook and through the package; nothing connects."""
    playbook, inventory = tmp_path / "plan.yml", tmp_path / "inventory"
    playbook.write_text(PLAYBOOK, encoding="utf-8")
    (inventory / "group_vars/all").mkdir(parents=True)
    (inventory / "hosts.yml").symlink_to(ROOT / "inventories/lab/hosts.yml")
    (inventory / "group_vars/all/site.yml").symlink_to(ROOT / "inventories/lab/group_vars/all/site.yml")
    command = [str(Path(sys.executable).parent / "ansible-playbook"), "-i", str(inventory), str(playbook)]
    # A playbook outside the repository does not see its group_vars; one in playbooks/ does.
    for name in ("services", "tiers", "zones"):
        command += ["-e", f"@{ROOT}/group_vars/all/{name}.yml"]
    result = subprocess.run(
        [*command, "-e", f"target={tmp_path}"],
        env=os.environ | {"ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    loaded = load_inventory([inventory])
    site = site_of(loaded)
    intent = intent_from(loaded.site_variables(), site.catalogue.services)
    assert intent.tier == "lab"
    for host in site.hosts:
        given = json.loads((tmp_path / f"{host}.json").read_text(encoding="utf-8"))
        # host_memory_mb, host_cpus and host_disk_gb of the inventory win over what the machine reports.
        machine = Machine(memory_mb=2048, cpus=2, disk_gb=20)
        assert given == host_plan(site, host, machine, intent)
