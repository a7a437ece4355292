"""The scenario's machines, as its tests use them: commands past the firewall, probes and runs through it."""

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from rackwright.catalogue.site import Site
from rackwright.lab.inventory import read_lab
from rackwright.site.load import load_site

PROJECT = Path(__file__).resolve().parents[2]
SOURCES = [Path(source) for source in os.environ["RACKWRIGHT_INVENTORY"].split(":")]
LISTENERS = Path(__file__).with_name("listeners.py").read_text()
# Nobody declared these: one that a test opens by hand, one of a container, one of a program of a user.
BY_HAND, CONTAINER, STRAY = 7777, 9999, 8000
UNDECLARED = (BY_HAND, CONTAINER, STRAY)

Target = tuple[str, int]


class Machines:
    """All machines of the scenario."""

    def __init__(self) -> None:
        self.site: Site = load_site(SOURCES)
        self.lab = read_lab(SOURCES)
        self.containers = {host.name: host.container for host in self.lab.hosts}
        self.addresses = {
            host.name: host.address for host in (*self.site.hosts.values(), *self.site.outside.values())
        }

    @property
    def ports(self) -> list[int]:
        """Every TCP port of the catalogue, and some that nobody declared."""
        declared = {
            port.port
            for service in self.site.catalogue.services.values()
            for port in service.ports.values()
            if port.protocol == "tcp"
        }
        return sorted(declared | set(UNDECLARED))

    def inside(self, host: str, script: str, *, check: bool = True, data: str | None = None) -> str:
        """Runs a script as root through Docker, past SSH and the firewall."""
        command = ["docker", "exec", "-i", self.containers[host], "bash", "-c", script]
        done = subprocess.run(
            command,
            input=data or "",
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            timeout=120,
        )
        if check and done.returncode:
            raise AssertionError(f"{host}: {script}: {done.stderr or done.stdout}")
        return done.stdout.strip()

    def process_of(self, host: str) -> int:
        """The first process of a machine, by which one of the control node can enter its network."""
        command = ["docker", "inspect", "--format", "{{.State.Pid}}", self.containers[host]]
        return int(subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout)

    def gateway_of(self, host: str) -> str:
        """The address by which a machine's packets leave its zone."""
        return next(str(machine.network.gateway) for machine in self.lab.hosts if machine.name == host)

    def on_gateway(self, script: str) -> None:
        """Runs a script on the gateway between the zones."""
        command = ["docker", "exec", self.lab.gateway_container, "sh", "-c", script]
        subprocess.run(command, check=True, capture_output=True, timeout=60)

    def listen(self, host: str) -> None:
        """Has something listen on every port of the catalogue, and on the undeclared ones."""
        self.inside(host, "cat > /run/firewall-test-listeners.py", data=LISTENERS)
        ports = " ".join(map(str, self.ports))
        self.inside(
            host,
            "systemctl is-active -q firewall-test-listeners"
            " || systemd-run -q --collect --unit=firewall-test-listeners"
            f" /usr/bin/python3 /run/firewall-test-listeners.py {self.addresses[host]} {ports}",
        )

    def probe(
        self, sources: Iterable[str], targets: Sequence[Target], timeout: float = 2.0
    ) -> dict[str, dict[Target, str]]:
        """Connects from hosts (by SSH) to all targets; per source and target `open`, `refused`, ..."""
        arguments = {
            "targets": [{"address": address, "port": port} for address, port in targets],
            "timeout": timeout,
        }
        environment = {
            **os.environ,
            "ANSIBLE_CONFIG": str(PROJECT / "ansible.cfg"),
            "ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json",
            "ANSIBLE_LOAD_CALLBACK_PLUGINS": "1",
        }
        command = [
            *self._program("ansible"),
            ",".join(sources),
            "-m",
            "connect_probe",
            "-a",
            json.dumps(arguments),
        ]
        done = subprocess.run(
            command, cwd=PROJECT, env=environment, capture_output=True, text=True, check=False, timeout=300
        )
        assert done.returncode == 0, done.stdout + done.stderr
        hosts = json.loads(done.stdout)["plays"][0]["tasks"][0]["hosts"]
        return {
            host: {(entry["address"], entry["port"]): entry["result"] for entry in answer["results"]}
            for host, answer in hosts.items()
        }

    def apply(self, host: str, **extra: object) -> tuple[int, str]:
        """Applies the firewall's role to one host as an operator does; returns exit code and output."""
        return self.play("playbooks/base.yml", host, "--tags", "firewall", **extra)

    def play(self, playbook: str, host: str, *options: str, **extra: object) -> tuple[int, str]:
        """Runs a playbook on one host as an operator does; returns the exit code and the output."""
        command = [*self._program("ansible-playbook"), playbook, "--limit", host, *options]
        if extra:
            command += ["-e", json.dumps(extra)]
        environment = {**os.environ, "ANSIBLE_CONFIG": str(PROJECT / "ansible.cfg")}
        done = subprocess.run(
            command, cwd=PROJECT, env=environment, capture_output=True, text=True, check=False, timeout=300
        )
        return done.returncode, done.stdout + done.stderr

    def table(self, host: str) -> str:
        """The table as the kernel has it, without packet counts."""
        # Without the callers that are counted, who come and go.
        return self.inside(host, "nft -s -t list table inet rackwright", check=False)

    @staticmethod
    def _program(name: str) -> list[str]:
        return [
            str(Path(sys.executable).with_name(name)),
            *(part for source in SOURCES for part in ("-i", str(source))),
        ]
