"""A site's directory of the operator's own, over the scenario's inventory, and the commands given for it."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from machines import PROJECT, SOURCES

from rackwright.models.switch import literal


class Operator:
    """Gives commands, as an operator does."""

    def __init__(self, directory: Path, variables: Mapping[str, Any]) -> None:
        """Make the directory.

        Args:
            directory: Where; the commands write to it, and the lab's own inventory stays as it is.
            variables: What the site says beside the scenario's inventory; stronger than the project's values.
        """
        (directory / "group_vars/all").mkdir(parents=True)
        (directory / "hosts.yml").write_text("---\nall: {}\n")
        (directory / "group_vars/all/own.yml").write_text(yaml.safe_dump(dict(variables)))
        self.sources = [*SOURCES, directory]
        self.serving = directory / "group_vars/all/serving.yml"

    def models(self, *arguments: str) -> tuple[int, str]:
        """Give a command of `rackwright models`; return exit status and what it said."""
        return self._run("rackwright", "models", *arguments, *self._named())

    def play(self, playbook: str, *arguments: str) -> tuple[int, str]:
        """Run a playbook."""
        return self._run("ansible-playbook", playbook, *self._named(), *arguments)

    def untouched(self, playbook: str, *arguments: str) -> None:
        """See that a run of the site changes nothing, so that nothing is switched back by it."""
        status, said = self.play(playbook, *arguments)
        assert status == 0, said
        recap = said.partition("PLAY RECAP")[2]
        assert "changed=0" in recap, said
        assert "changed=1" not in recap, said

    def served(self, variable: str) -> Any:  # noqa: ANN401 - the engine's variable
        """Return what the site says that it serves."""
        return literal.load(self.serving.read_text())[variable]

    def _named(self) -> list[str]:
        return [part for source in self.sources for part in ("-i", str(source))]

    @staticmethod
    def _run(program: str, *arguments: str) -> tuple[int, str]:
        done = subprocess.run(
            [str(Path(sys.executable).with_name(program)), *arguments],
            cwd=PROJECT,
            env={**os.environ, "ANSIBLE_CONFIG": str(PROJECT / "ansible.cfg"), "COLUMNS": "110"},
            capture_output=True,
            text=True,
            check=False,
            timeout=580,
        )
        return done.returncode, done.stdout + done.stderr
