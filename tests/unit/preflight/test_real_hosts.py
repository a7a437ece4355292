"""Preflight of real machines with real faults: a lab of three of its own. Run by `make test-lab`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from rackwright.lab.docker import docker, execute
from rackwright.lab.inventory import read_lab
from rackwright.lab.model import Lab
from rackwright.site.paths import repository_root

pytestmark = pytest.mark.lab
ROOT = repository_root()
HOSTS = ("edge1", "data1", "ops1")
NONE = "0" * 64
LISTEN = "import socket, time; s = socket.create_server(('', {port})); time.sleep(600)"
PORTAL = """
import http.server
class Portal(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<html>Please log in</html>")
http.server.HTTPServer(("127.0.0.1", 8899), Portal).serve_forever()
"""


def rackwright(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "rackwright.cli.main", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=600, cwd=ROOT)


@pytest.fixture(scope="module")
def overlay(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The lab's inventory with a name and a range of its own; no engine runs, so its files are invented."""
    place = tmp_path_factory.mktemp("overlay")
    (place / "group_vars/all").mkdir(parents=True)
    (place / "lab.yml").write_text(
        'all: {vars: {lab_name: preflab, lab_prefix: "10.84"}}\n', encoding="utf-8"
    )
    image = {"name": "none:1", "archive": "/none.tar", "image_id": f"sha256:{NONE}", "sha256": NONE}
    model = {"name": "none", "file": "/none.gguf", "size": 1, "sha256": NONE}
    values = {
        "my_artifacts": {"llama_cpp_image": image, "model": model},
        "lab_directory": str(ROOT / ".lab/preflab"),
    }
    (place / "group_vars/all/lab.yml").write_text(yaml.safe_dump(values), encoding="utf-8")
    return place


@pytest.fixture(scope="module")
def lab(overlay: Path) -> Iterator[Lab]:
    options = ["-i", str(ROOT / "inventories/lab"), "-i", str(overlay)]
    made = read_lab([ROOT / "inventories/lab", overlay])
    try:
        for command in (["lab", "up", *options, "--hosts", ",".join(HOSTS)], ["secrets", "init", *options]):
            done = rackwright(*command)
            assert done.returncode == 0, done.stderr
        yield made
    finally:
        rackwright("lab", "down", *options)


@pytest.fixture(scope="module")
def containers(lab: Lab) -> dict[str, str]:
    return {host.name: host.container for host in lab.hosts if host.name in HOSTS}


class Preflight:
    """Runs the command on the lab."""

    def __init__(self, overlay: Path) -> None:
        self.overlay = overlay

    def run(self, **host_variables: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Return exit status and JSON; `edge1={...}` gives that host variables for this run."""
        folder = self.overlay / "host_vars"
        folder.mkdir(exist_ok=True)
        for path in folder.iterdir():
            path.unlink()
        for host, variables in host_variables.items():
            (folder / f"{host}.yml").write_text(yaml.safe_dump(variables), encoding="utf-8")
        sources = ["-i", str(ROOT / "inventories/lab"), "-i", str(self.overlay)]
        done = rackwright("preflight", "--json", "--limit", "edge1,data1,ops1", *sources)
        assert done.stdout, done.stderr
        return done.returncode, json.loads(done.stdout)


@pytest.fixture
def preflight(overlay: Path, containers: dict[str, str]) -> Preflight:
    assert set(HOSTS) <= set(containers)
    return Preflight(overlay)


def bad(data: dict[str, Any]) -> list[tuple[str, str, str]]:
    return [
        (entry["host"], entry["check"], entry["found"])
        for entry in data["findings"]
        if entry["severity"] == "error"
    ]


def test_bare_machines_are_ready_and_stay_as_they_are(
    preflight: Preflight, containers: dict[str, str]
) -> None:
    status, data = preflight.run()
    assert (status, bad(data), data["hosts"]) == (0, [], 3), data
    for container in containers.values():
        changed = docker("diff", container).stdout
        # Ansible's own modules are kept on a host; nothing else may be new below /etc or /usr.
        assert not [
            line
            for line in changed.splitlines()
            if line[2:].startswith(("/usr/bin", "/etc/apt", "/etc/systemd"))
        ]


def test_a_port_that_somebody_else_has(preflight: Preflight, containers: dict[str, str]) -> None:
    start = ["systemd-run", "--unit=legacy", "python3", "-c", LISTEN.format(port=5432)]
    execute(containers["data1"], start)
    try:
        time.sleep(1)
        status, data = preflight.run()
        assert status == 1
        assert bad(data) == [("data1", "ports", "tcp 0.0.0.0:5432: python3 (legacy.service)")]
    finally:
        execute(containers["data1"], ["systemctl", "stop", "legacy"])


def test_our_own_service_has_its_port(preflight: Preflight, containers: dict[str, str]) -> None:
    unit = "--unit=postgresql@17-main"
    execute(containers["data1"], ["systemd-run", unit, "python3", "-c", LISTEN.format(port=5432)])
    try:
        time.sleep(1)
        status, data = preflight.run()
        assert (status, bad(data)) == (0, [])
    finally:
        execute(containers["data1"], ["systemctl", "stop", "postgresql@17-main"])


def test_sudo_that_asks(preflight: Preflight, containers: dict[str, str]) -> None:
    execute(containers["ops1"], ["mv", "/etc/sudoers.d", "/etc/sudoers.d.away"])
    try:
        status, data = preflight.run()
        assert status == 1
        assert [entry[:2] for entry in bad(data)] == [("ops1", "sudo")]
        assert {entry["host"] for entry in data["findings"]} == set(HOSTS)
    finally:
        execute(containers["ops1"], ["mv", "/etc/sudoers.d.away", "/etc/sudoers.d"])


def test_too_little_disk(preflight: Preflight, containers: dict[str, str]) -> None:
    small = "mkdir -p /var/lib/redis && mount -t tmpfs -o size=8m tmpfs /var/lib/redis"
    execute(containers["data1"], ["sh", "-c", small])
    try:
        assert bad(preflight.run()[1]) == [("data1", "disk", "8 MiB free on /var/lib/redis")]
    finally:
        execute(containers["data1"], ["sh", "-c", "umount /var/lib/redis && rmdir /var/lib/redis"])


def test_something_answers_for_the_mirror(preflight: Preflight, containers: dict[str, str]) -> None:
    execute(containers["edge1"], ["systemd-run", "--unit=portal", "python3", "-c", PORTAL])
    try:
        time.sleep(1)
        found = bad(preflight.run(edge1={"package_proxy": "http://127.0.0.1:8899"})[1])
        assert {entry[:2] for entry in found} == {("edge1", "proxy")}
        assert all("Please log in" in entry[2] for entry in found)
    finally:
        execute(containers["edge1"], ["systemctl", "stop", "portal"])


def test_hosts_that_do_not_answer(preflight: Preflight) -> None:
    status, data = preflight.run(edge1={"ansible_ssh_port": 2222}, ops1={"ansible_user": "nobody-here"})
    assert status == 1
    found = {host: text for host, check, text in bad(data) if check == "reachable"}
    assert found == {
        "edge1": "it refuses the connection: nothing listens on the SSH port",
        "ops1": "it refuses the key or the user",
    }


def test_one_machine_under_two_names(preflight: Preflight, lab: Lab) -> None:
    address = next(str(host.address) for host in lab.hosts if host.name == "data1")
    status, data = preflight.run(ops1={"ansible_ssh_host": address})
    assert status == 1
    assert {entry[:2] for entry in bad(data)} == {
        ("data1", "machine"),
        ("ops1", "machine"),
        ("ops1", "address"),
    }


def test_what_is_accepted_is_a_warning(preflight: Preflight, containers: dict[str, str]) -> None:
    execute(containers["data1"], ["systemd-run", "--unit=legacy", "python3", "-c", LISTEN.format(port=6379)])
    try:
        time.sleep(1)
        accepted = {"preflight_accept": ["data1:ports"]}
        status, data = preflight.run(**dict.fromkeys((*HOSTS, "app1"), accepted))
        assert (status, bad(data), data["summary"]["warning"]) == (0, [], 1)
    finally:
        execute(containers["data1"], ["systemctl", "stop", "legacy"])


def test_the_site_stops_before_any_host_is_changed(
    overlay: Path, preflight: Preflight, containers: dict[str, str]
) -> None:
    """site.yml on machines that were never converged, one of which is not ready."""
    preflight.run()
    execute(containers["data1"], ["systemd-run", "--unit=legacy", "python3", "-c", LISTEN.format(port=5432)])
    try:
        time.sleep(1)
        sources = ["-i", str(ROOT / "inventories/lab"), "-i", str(overlay)]
        program = str(Path(sys.executable).with_name("ansible-playbook"))
        done = subprocess.run(
            [program, str(ROOT / "site.yml"), *sources, "--limit", ",".join((*HOSTS, "localhost"))],
            env=os.environ | {"ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"},
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
            cwd=ROOT,
        )
        assert done.returncode != 0
        assert "tcp 0.0.0.0:5432: python3 (legacy.service)" in done.stdout
        assert "Not ready: data1. Nothing has been changed on any host" in done.stdout + done.stderr
        assert "Every host" not in done.stdout
        for container in containers.values():
            assert "rackwright" not in execute(container, ["ls", "/etc"])
    finally:
        execute(containers["data1"], ["systemctl", "stop", "legacy"])
