"""The hosts of the scenario, as their operator reaches them, and the store as the app does."""

from __future__ import annotations

import base64
import json
import os
import shlex
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from over_ssh import over_ssh
from testinfra.host import Host

from rackwright.site.inventory import Inventory, load_inventory

SOURCES = [Path(source) for source in os.environ["RACKWRIGHT_INVENTORY"].split(":")]
Ask = Callable[..., tuple[int, str]]
CA = "/etc/rackwright/tls/ca.pem"
# Runs on the calling host; the standard library checks the certificate against the site's authority.
ASK = """
import json, ssl, sys, urllib.error, urllib.request
job = json.loads(sys.stdin.read())
body = None if job["body"] is None else json.dumps(job["body"]).encode()
request = urllib.request.Request(job["url"], body, job["headers"], method=job["method"])
context = ssl.create_default_context(cafile=job["ca"]) if job["url"].startswith("https") else None
try:
    with urllib.request.urlopen(request, timeout=30, context=context) as answer:
        print(answer.status)
        print(answer.read().decode(), end="")
except urllib.error.HTTPError as error:
    print(error.code)
    print(error.read().decode(), end="")
except OSError as error:
    print(0)
    print(error, end="")
"""


@pytest.fixture(scope="session")
def inventory() -> Inventory:
    """The scenario's inventory, with its vault."""
    return load_inventory(SOURCES)


@pytest.fixture(scope="session")
def variables(inventory: Inventory) -> Mapping[str, Any]:
    """What the inventory says of the data host."""
    return inventory.hosts["data1"].variables


@pytest.fixture(scope="session")
def connect(inventory: Inventory) -> Callable[[str], Host]:
    """A function that gives a testinfra host, root by sudo."""
    return lambda name: over_ssh(inventory.hosts[name].variables)


@pytest.fixture(scope="session")
def ask(connect: Callable[[str], Host]) -> Ask:
    """A function that asks a URL from a host: status (0 without an answer) and text."""

    def asked(
        host: str, url: str, body: object = None, key: str = "", method: str = "", headers: object = None
    ) -> tuple[int, str]:
        given = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {key}"} if key else {})
        given |= headers if isinstance(headers, dict) else {}
        job = {
            "url": url,
            "body": body,
            "headers": given,
            "ca": CA,
            "method": method or ("GET" if body is None else "POST"),
        }
        # Encoded, because sudo writes the command itself, with the key in it, to its log.
        encoded = base64.b64encode(json.dumps(job).encode()).decode()
        output = connect(host).check_output(f"echo {encoded} | base64 -d | python3 -c {shlex.quote(ASK)}")
        status, _, text = output.partition("\n")
        return int(status), text

    return asked


@pytest.fixture(scope="session")
def holders(connect: Callable[[str], Host]) -> Callable[..., list[str]]:
    """Finds the files of the data host that hold a text."""

    def found(text: str, *directories: str) -> list[str]:
        # Encoded, because sudo writes the command itself to the journal.
        pattern = base64.b64encode(text.encode()).decode()
        listing = f'grep -rlF -- "$(echo {pattern} | base64 -d)" {" ".join(directories)}'
        return list(connect("data1").run(listing).stdout.split())

    return found
