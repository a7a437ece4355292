"""A lab of two hosts, for real: about 20 s with the images there. Run by `make test-lab`."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from rackwright.lab.access import ssh_command
from rackwright.lab.docker import docker, execute, names
from rackwright.lab.inventory import read_lab
from rackwright.lab.model import Lab
from rackwright.site.paths import repository_root

pytestmark = [
    pytest.mark.lab,
    pytest.mark.lab,
]

PORT = 7777
LISTENER = f"""
import socket
server = socket.create_server(("", {PORT}))
while True:
    client, address = server.accept()
    client.sendall(address[0].encode())
    client.close()
"""
CALLER = f"""
import socket, sys
source = (sys.argv[2], 0) if len(sys.argv) > 2 else None
with socket.create_connection((sys.argv[1], {PORT}), 5, source) as client:
    print(client.recv(64).decode())
"""


def rackwright(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "rackwright.cli.main", "lab", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    overlay = tmp_path_factory.mktemp("overlay") / "hosts.yml"
    overlay.write_text('all: {vars: {lab_name: labtest, lab_prefix: "10.99"}}\n')
    return [repository_root() / "inventories" / "lab", overlay]


@pytest.fixture(scope="module")
def options(sources: list[Path]) -> list[str]:
    return [part for source in sources for part in ("-i", str(source))]


@pytest.fixture(scope="module")
def running(sources: list[Path], options: list[str]) -> Iterator[Lab]:
    rackwright("down", *options)
    made = rackwright("up", *options, "--hosts", "data1,outside1")
    assert made.returncode == 0, made.stderr
    lab = read_lab(sources)
    for host in ("data1", "outside1"):
        execute(f"rw-labtest-{host}", ["systemd-run", "--quiet", "python3", "-c", LISTENER])
    time.sleep(1)
    yield lab
    assert rackwright("down", *options).returncode == 0
    for kind in ("container", "network", "volume"):
        assert names(kind, lab.label) == [], kind
    assert not lab.directory.exists()


def seen(host: str, target: IPv4Address, *source: str) -> str:
    """Return the address as which `host` is seen at the target."""
    return execute(f"rw-labtest-{host}", ["python3", "-c", CALLER, str(target), *source]).strip()


def address(lab: Lab, name: str) -> IPv4Address:
    return next(host.address for host in lab.hosts if host.name == name)


def test_callers_are_seen_by_their_true_address(running: Lab) -> None:
    data1, outside1 = address(running, "data1"), address(running, "outside1")
    assert seen("data1", outside1) == str(data1)
    assert seen("outside1", data1) == str(outside1)
    assert seen("outside1", data1, "203.0.113.10") == "203.0.113.10"
    assert seen("data1", IPv4Address("203.0.113.10")) == str(data1)


def test_second_up_changes_nothing(running: Lab, options: list[str]) -> None:
    before = docker("ps", "--no-trunc", "--quiet", "--filter", f"label={running.label}").stdout
    keys = running.known_hosts.read_text()
    assert rackwright("up", *options, "--hosts", "data1,outside1").returncode == 0
    assert docker("ps", "--no-trunc", "--quiet", "--filter", f"label={running.label}").stdout == before
    assert running.known_hosts.read_text() == keys


@pytest.mark.usefixtures("running")
def test_status_tells_each_machine(options: list[str]) -> None:
    shown = rackwright("status", *options, "--hosts", "data1,outside1", "--json")
    assert shown.returncode == 0, shown.stderr
    machines = {machine["host"]: machine for machine in json.loads(shown.stdout)["machines"]}
    assert set(machines) == {"gateway", "data1", "outside1"}
    assert {machine["state"] for machine in machines.values()} == {"running"}
    # The hosts that were not asked for are part of the lab, and not there.
    everything = rackwright("status", *options, "--json")
    assert everything.returncode == 1
    states = {m["host"]: m["state"] for m in json.loads(everything.stdout)["machines"]}
    assert states["app1"] == "absent"


@pytest.mark.usefixtures("running")
def test_only_this_hosts_network_settings_can_be_changed() -> None:
    script = "sysctl -q -w net.ipv4.tcp_fin_timeout=61; touch /proc/sys/vm/swappiness 2>/dev/null; echo $?"
    assert execute("rw-labtest-data1", ["sh", "-c", script]).split() == ["1"]
    shown = execute("rw-labtest-data1", ["sysctl", "-n", "net.ipv4.tcp_fin_timeout"])
    assert shown.strip() == "61"


def test_packages_come_through_the_gateway(running: Lab) -> None:
    gateway = next(network.gateway for network in running.networks if network.zone == "ops")
    proxy = f"Acquire::http::Proxy=http://{gateway}:3142"
    execute("rw-labtest-data1", ["apt-get", "-q", "-o", proxy, "-o", "Dpkg::Use-Pty=0", "update"])
    execute("rw-labtest-data1", ["apt-get", "-q", "-y", "-o", proxy, "install", "--download-only", "less"])


@pytest.mark.usefixtures("running")
def test_names_fail_at_once() -> None:
    started = time.monotonic()
    assert execute("rw-labtest-data1", ["getent", "hosts", "name.example"], check=False) == ""
    assert time.monotonic() - started < 2


def test_a_reboot_brings_the_host_back_as_it_was(running: Lab) -> None:
    host = next(host for host in running.hosts if host.name == "outside1")
    before = execute(host.container, ["cat", "/proc/1/stat"]).split()[21]
    docker("exec", host.container, "systemctl", "reboot", check=False)
    end = time.monotonic() + 60
    while time.monotonic() < end:
        answer = subprocess.run(
            ssh_command(running, host, ["systemctl", "is-system-running"]),
            capture_output=True,
            text=True,
            check=False,
        )
        if answer.stdout.strip() == "running":
            started = execute(host.container, ["cat", "/proc/1/stat"]).split()[21]
            if started != before:
                break
        time.sleep(0.5)
    assert execute(host.container, ["cat", "/proc/1/stat"]).split()[21] != before
    routes = execute(host.container, ["ip", "route"])
    assert f"default via {host.network.gateway}" in routes
    assert "203.0.113.10" in execute(host.container, ["ip", "-4", "address", "show", "lo"])


def test_another_release_is_refused_while_it_runs(running: Lab, options: list[str]) -> None:
    refused = rackwright("up", *options, "--hosts", "data1", "--release", "bookworm")
    assert refused.returncode == 1
    assert "Debian trixie" in refused.stderr
    assert running.private_key.is_file()
