"""The host with the engine, a caller, and the command as an operator gives it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from caller import Caller
from machines import PROJECT, SOURCES, Machines

from rackwright.site.inventory import load_inventory


@pytest.fixture(scope="session")
def machines() -> Machines:
    """All machines of the scenario."""
    return Machines()


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site's directory, which the command writes to: over the lab's, which stays as it is."""
    directory = tmp_path_factory.mktemp("site")
    (directory / "group_vars/all").mkdir(parents=True)
    (directory / "hosts.yml").write_text("---\nall: {}\n")
    # The project's own list comes in after the lab's with the scenario's directory; it wants a model that
    # knows something.
    lab = yaml.safe_load((PROJECT / "inventories/lab/group_vars/all/models.yml").read_text())
    prompts = {"golden_prompts": lab["golden_prompts"]}
    (directory / "group_vars/all/golden_prompts.yml").write_text(yaml.safe_dump(prompts))
    return directory


class Operator:
    """Gives commands, in the order of the tests."""

    def __init__(self, site: Path) -> None:
        self.sources = [*SOURCES, site]
        self.serving = site / "group_vars/all/serving.yml"

    def models(self, *arguments: str) -> tuple[int, str]:
        """Give a command of `rackwright models`; return exit status and what it said."""
        given = [part for source in self.sources for part in ("-i", str(source))]
        return self._run("rackwright", "models", *arguments, *given)

    def play(self, playbook: str, *arguments: str) -> tuple[int, str]:
        """Run a playbook on the host."""
        given = [part for source in self.sources for part in ("-i", str(source))]
        return self._run("ansible-playbook", playbook, "--limit", "app1", *given, *arguments)

    @staticmethod
    def _run(program: str, *arguments: str) -> tuple[int, str]:
        done = subprocess.run(
            [str(Path(sys.executable).with_name(program)), *arguments],
            cwd=PROJECT,
            env={**os.environ, "ANSIBLE_CONFIG": str(PROJECT / "ansible.cfg"), "COLUMNS": "110"},
            capture_output=True,
            text=True,
            check=False,
            timeout=400,
        )
        return done.returncode, done.stdout + done.stderr


@pytest.fixture(scope="session")
def operator(site: Path) -> Operator:
    """Who gives commands."""
    return Operator(site)


@pytest.fixture(scope="session")
def caller(machines: Machines, operator: Operator) -> Caller:
    """A program on another machine that asks the engine."""
    variables = load_inventory(operator.sources).hosts["app1"].variables
    url = f"http://{machines.addresses['app1']}:8080"
    return Caller(machines, "ops1", url, str(variables["vault_llama_cpp_api_key"]))
