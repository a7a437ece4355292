"""A payload made as on a control node, and plays over a connection that behaves like SSH and has a record."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, TypeAlias

import pytest
import yaml
from ansible.plugins.loader import init_plugin_loader, module_utils_loader
from ansible.utils.collection_loader import AnsibleCollectionConfig

from rackwright.remote.payload import files_of

ROOT = Path(__file__).parents[3]
MODULES = ROOT / "plugins" / "modules"
Value: TypeAlias = Any

CONNECTION = '''
from ansible.plugins.connection.local import Connection as Local

DOCUMENTATION = """
name: recorded
short_description: as local, with a record
description: [as local, with a record]
author: [Rackwright]
extends_documentation_fragment: [connection_pipelining]
"""


class Connection(Local):
    transport = "recorded"

    def exec_command(self, cmd, in_data=None, sudoable=True):
        import json, os
        with open(os.environ["RECORD"], "a") as record:
            record.write(json.dumps([str(cmd), len(in_data or b"")]) + "\\n")
        return super().exec_command(cmd, in_data=in_data, sudoable=sudoable)
'''


@pytest.fixture(scope="session")
def files() -> dict[str, bytes]:
    """What is laid down, by path."""
    if AnsibleCollectionConfig.collection_finder is None:
        init_plugin_loader()
    module_utils_loader.add_directory(str(ROOT / "plugins" / "module_utils"))
    return files_of(MODULES)


class Host:
    """This machine as a host; `calls` has each command sent to it, with the size of what it got to read."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self.modules = root / "modules"
        (root / "connection").mkdir()
        (root / "connection" / "recorded.py").write_text(CONNECTION)
        (root / "ansible.cfg").write_text("[defaults]\n")
        self.calls: list[tuple[str, int]] = []

    def run(
        self, *tasks: Value, options: tuple[str, ...] = (), **environment: str
    ) -> tuple[list[Value], str]:
        """Run the tasks; return each one's result, and what was printed."""
        kept = [{**task, "register": f"result_{number}"} for number, task in enumerate(tasks)]
        for task in kept:
            task.setdefault("ignore_errors", True)
        names = "[" + ", ".join(task["register"] for task in kept) + "]"
        write = {
            "ansible.builtin.copy": {
                "content": "{{ " + names + " | to_json }}",
                "dest": str(self._root / "results"),
            },
            "delegate_to": "localhost",
            "check_mode": False,
            "diff": False,
        }
        printed = self.plays([*kept, write], options=options, **environment)
        return json.loads((self._root / "results").read_text()), printed

    def plays(self, *plays: list[Value], options: tuple[str, ...] = (), **environment: str) -> str:
        """Run a playbook of plays, each given by its tasks; return what was printed."""
        book = [{"hosts": "all", "gather_facts": False, "tasks": tasks} for tasks in plays]
        text = yaml.safe_dump(book)
        path = self._root / "play" / "play.yml"
        path.parent.mkdir(exist_ok=True)
        # Written anew, it would be another file.
        if not path.exists() or path.read_text() != text:
            path.write_text(text)
        record = self._root / "record"
        record.write_text("")
        variables = {"rackwright_modules_directory": str(self.modules)}
        settings = {
            **os.environ,
            "ANSIBLE_CONFIG": str(self._root / "ansible.cfg"),
            "ANSIBLE_ACTION_PLUGINS": str(ROOT / "plugins" / "action"),
            "ANSIBLE_LIBRARY": str(MODULES),
            "ANSIBLE_MODULE_UTILS": str(ROOT / "plugins" / "module_utils"),
            "ANSIBLE_CONNECTION_PLUGINS": str(self._root / "connection"),
            "ANSIBLE_LOCAL_TEMP": str(self._root / "tmp"),
            "ANSIBLE_REMOTE_TEMP": str(self._root / "remote"),
            "ANSIBLE_PIPELINING": "1",
            "ANSIBLE_PYTHON_INTERPRETER": sys.executable,
            "ANSIBLE_NOCOLOR": "1",
            "RACKWRIGHT_CACHE": str(self._root / "cache"),
            "RECORD": str(record),
            **environment,
        }
        command = [str(Path(sys.executable).parent / "ansible-playbook"), "-i", "here,", "-c", "recorded"]
        command += ["-e", json.dumps(variables), *options, str(path)]
        done = subprocess.run(command, env=settings, capture_output=True, text=True, check=False, timeout=120)
        printed = done.stdout + done.stderr
        assert done.returncode == 0, printed
        self.calls = [tuple(json.loads(line)) for line in record.read_text().splitlines()]
        return printed


@pytest.fixture
def host(tmp_path: Path) -> Host:
    """A host on which nothing has been laid down."""
    return Host(tmp_path)
