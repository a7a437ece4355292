"""The hosts of an edge's scenario, and a client: requests come from outside1, as from a user's machine."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
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

# Its program comes as the first line; then each line is a request, and each line that comes back an answer.
CLIENT = "import json, sys; exec(json.loads(sys.stdin.readline()))"
PROGRAM = Path(__file__).with_name("edge").joinpath("client.py").read_text()
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


def seconds_between(edge: Host, former: str, now: str) -> float:
    """Return how long neither of two engines ran when one took the other's place."""

    def last(unit: str, word: str) -> float:
        line = edge.check_output(f"journalctl -q -o short-unix -n 1 -g ^{word} -u {unit}.service")
        return float(line.split()[0])

    return last(now, "Started") - last(former, "Stopped")


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
def ask(inventory: Mapping[str, Any], variables: Mapping[str, Any], api: str) -> Iterator[Ask]:
    """A function that sends a request to the edge and returns what came back (client.py says how)."""
    ca = Authority(pki_directory(SOURCES)).certificate_path.read_text()
    # One for each machine, which stays: a request is sent within milliseconds.
    clients: dict[str, subprocess.Popen[str]] = {}

    def asked(path: str = "/", **options: object) -> dict[str, Any]:
        host = options.get("host", api)
        name = str(options.pop("of", "outside1"))
        if name not in clients:
            clients[name] = client(inventory[name].variables)
        edge = {"address": variables["ansible_host"], "port": 443, "ca": ca}
        answer: dict[str, Any] = told(
            clients[name], {**edge, "sni": host, "host": host, "path": path, **options}
        )
        return answer

    yield asked
    for process in clients.values():
        process.communicate()


def client(variables: Mapping[str, Any]) -> subprocess.Popen[str]:
    """Start the client on one of the machines."""
    command = ["ssh", "-i", variables["ansible_ssh_private_key_file"]]
    command += shlex.split(variables["ansible_ssh_common_args"])
    command += [f"{variables['ansible_user']}@{variables['ansible_host']}"]
    command += [f"sudo python3 -c {shlex.quote(CLIENT)}"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    say(process, PROGRAM)
    return process


def say(process: subprocess.Popen[str], what: object) -> None:
    """Tell a client one thing."""
    assert process.stdin
    process.stdin.write(f"{json.dumps(what)}\n")
    process.stdin.flush()


def told(process: subprocess.Popen[str], job: Mapping[str, Any]) -> Any:  # noqa: ANN401 - whatever the client says
    """Have a client do a job, and return what it says."""
    say(process, job)
    assert process.stdout
    line = process.stdout.readline()
    assert line, f"the client broke off, with {process.wait()}"
    return json.loads(line)
