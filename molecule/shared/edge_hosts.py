"""The hosts of an edge's scenario, and a client: requests come from outside1, as from a user's machine."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from machines import Machines
from over_ssh import over_ssh
from testinfra.host import Host

from rackwright.pki.authority import Authority
from rackwright.pki.location import pki_directory
from rackwright.site.inventory import load_inventory

CLIENT = Path(__file__).with_name("edge").joinpath("client.py").read_text()
SOURCES = [Path(source) for source in os.environ["RACKWRIGHT_INVENTORY"].split(":")]

Ask = Callable[..., dict[str, Any]]
Connect = Callable[[str], Host]
Apply = Callable[..., tuple[int, str]]


def shown(edge: Host, variables: Mapping[str, Any]) -> str:
    """Return subject and issuer of the certificate that the edge shows."""
    target = f"{variables['ansible_host']}:443 -servername api.{variables['domain']}"
    return edge.check_output(
        f"openssl s_client -connect {target} </dev/null 2>/dev/null | openssl x509 -noout -subject -issuer"
    )


@pytest.fixture(scope="session")
def inventory() -> Mapping[str, Any]:
    """What the inventory says of each host."""
    return load_inventory(SOURCES).hosts


@pytest.fixture(scope="session")
def connect(inventory: Mapping[str, Any]) -> Connect:
    """A function that gives a testinfra host, root by sudo."""
    return lambda name: over_ssh(inventory[name].variables)


@pytest.fixture(scope="session")
def edge(connect: Connect) -> Host:
    """The host that the proxy runs on."""
    return connect("edge1")


@pytest.fixture(scope="session")
def variables(inventory: Mapping[str, Any]) -> Mapping[str, Any]:
    """What the inventory says of the edge."""
    found: Mapping[str, Any] = inventory["edge1"].variables
    return found


@pytest.fixture(scope="session")
def engine(variables: Mapping[str, Any]) -> str:
    """The engine of the edge, whose unit, log and certificate have its name."""
    return str(variables.get("edge_engine") or "nginx")


@pytest.fixture(scope="module")
def apply() -> Iterator[Apply]:
    """A function that runs the edge's play with other values; the scenario's own come back after the file."""
    machines = Machines()

    def applied(**values: object) -> tuple[int, str]:
        return machines.play("playbooks/edge.yml", "edge1", **values)

    yield applied
    assert applied()[0] == 0


@pytest.fixture(scope="session")
def api(variables: Mapping[str, Any]) -> str:
    """The API's host name."""
    return f"api.{variables['domain']}"


@pytest.fixture(scope="session")
def ask(connect: Connect, variables: Mapping[str, Any], api: str) -> Ask:
    """A function that sends a request to the edge and returns what came back (client.py says how)."""
    ca = Authority(pki_directory(SOURCES)).certificate_path.read_text()

    def asked(path: str = "/", **options: object) -> dict[str, Any]:
        host = options.get("host", api)
        client = connect(str(options.pop("of", "outside1")))
        edge = {"address": variables["ansible_host"], "port": 443, "ca": ca}
        job = {**edge, "sni": host, "host": host, "path": path, **options}
        encoded = base64.b64encode(json.dumps(job).encode()).decode()
        answer: dict[str, Any] = json.loads(client.check_output("python3 -c %s %s", CLIENT, encoded))
        return answer

    return asked
