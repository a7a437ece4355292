"""Fifty hosts in one pass; the inventory that stands for them, and, with the lab up, the pass itself."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from rackwright.bench.preflight import HOSTS, fifty_hosts
from rackwright.lab.inventory import read_lab
from rackwright.lab.status import lab_status
from rackwright.operations.runner import run_playbook
from rackwright.preflight.run import ACTION, PLAYBOOK, SKIPPED_TAGS, answers_of, forks
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


@pytest.mark.lab
def test_fifty_hosts_in_one_parallel_pass(tmp_path: Path) -> None:
    if any(entry.state != "running" for entry in lab_status(read_lab([LAB]))):
        pytest.skip("the lab of inventories/lab is not up: make demo")
    sources = [LAB, fifty_hosts(tmp_path, [LAB])]
    arguments = ["--forks", str(forks(HOSTS)), "--skip-tags", SKIPPED_TAGS]
    run = run_playbook(PLAYBOOK, sources, arguments=arguments)
    # One call for each host, and nothing else.
    assert Counter(result.action.rpartition(".")[2] for result in run.recap.results) == {ACTION: HOSTS}
    answers = answers_of(run, load_inventory(sources).members("platform"))
    assert len(answers) == HOSTS
    mute = {answer.host: answer.problem for answer in answers if answer.observations is None}
    assert mute == {}
    # One after the other they would take the sum; fifty processes on two cores still wait for one another.
    assert sum(result.seconds for result in run.recap.results) > 5 * run.seconds
