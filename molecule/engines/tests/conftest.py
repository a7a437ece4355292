"""The hosts of the scenario, and what the catalogue planned for each."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from over_ssh import over_ssh
from testinfra.host import Host

from rackwright.catalogue.plan import host_plan
from rackwright.site.inventory import Inventory, load_inventory
from rackwright.site.load import site_of
from rackwright.sizing.machine import Machine
from rackwright.sizing.variables import intent_from, options_of

SOURCES = [Path(source) for source in os.environ["RACKWRIGHT_INVENTORY"].split(":")]
Ask = Callable[..., tuple[int, str]]


@pytest.fixture(scope="session")
def inventory() -> Inventory:
    """The scenario's inventory."""
    return load_inventory(SOURCES)


@pytest.fixture(scope="session")
def plan(inventory: Inventory) -> Callable[[str], Mapping[str, Any]]:
    """A function that gives a host's plan, as the play had it."""
    site = site_of(inventory)

    def planned(name: str) -> Mapping[str, Any]:
        variables = inventory.hosts[name].variables
        machine = Machine(memory_mb=variables["host_memory_mb"], cpus=variables["host_cpus"])
        intent = intent_from(variables, site.catalogue.services)
        return host_plan(site, name, machine, intent, options_of(variables))

    return planned


@pytest.fixture(scope="session")
def connect(inventory: Inventory) -> Callable[[str], Host]:
    """A function that gives a testinfra host, root by sudo."""
    return lambda name: over_ssh(inventory.hosts[name].variables)


ASK = """
import json, sys, urllib.error, urllib.request
job = json.loads(sys.argv[1])
body = json.dumps(job["body"]).encode() if job["body"] else None
request = urllib.request.Request(job["url"], body, job["headers"])
try:
    with urllib.request.urlopen(request, timeout=30) as answer:
        print(answer.status)
        print(answer.read().decode(), end="")
except urllib.error.HTTPError as error:
    print(error.code)
    print(error.read().decode(), end="")
"""


@pytest.fixture(scope="session")
def ask(connect: Callable[[str], Host]) -> Ask:
    """A function that asks a URL from a host: status and text."""

    def asked(host: str, url: str, body: object = None, key: str = "") -> tuple[int, str]:
        headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {key}"} if key else {})
        job = json.dumps({"url": url, "body": body, "headers": headers})
        output = connect(host).check_output(f"python3 -c {shlex.quote(ASK)} {shlex.quote(job)}")
        status, _, text = output.partition("\n")
        return int(status), text

    return asked
