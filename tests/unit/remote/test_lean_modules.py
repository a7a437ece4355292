"""Modules with a base of their own: what they load, and that their failures are told as Ansible's are."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from test_lay_down import encoded

from rackwright.remote.entry import LEAN
from rackwright.remote.lay_down import lay_down
from rackwright.remote.payload import ENTRY

ARGUMENTS = {"host_facts": {}, "service_probe": {"checks": []}}


@pytest.fixture
def place(files: dict[str, bytes], tmp_path: Path) -> Path:
    lay_down(str(tmp_path), "all", encoded(files), ENTRY)
    return tmp_path / "all"


def run(
    place: Path, name: str, arguments: dict[str, object], *options: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-I", "-S", *options, str(place / ENTRY), name],
        input=json.dumps({"ANSIBLE_MODULE_ARGS": {"_ansible_no_log": True, **arguments}}),
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("name", LEAN)
def test_ansibles_base_is_not_loaded(place: Path, name: str) -> None:
    done = run(place, name, ARGUMENTS[name], "-X", "importtime")
    assert done.returncode == 0, done.stderr
    assert not json.loads(done.stdout)["changed"]
    assert "ansible.module_utils.rackwright.lean" in done.stderr
    assert "ansible.module_utils.basic" not in done.stderr


@pytest.mark.parametrize("name", LEAN)
def test_what_is_wrong_is_told_by_ansible(place: Path, name: str) -> None:
    done = run(place, name, {**ARGUMENTS[name], "unknown": 1})
    answer = json.loads(done.stdout)
    assert answer["failed"]
    assert "unknown" in answer["msg"]


def test_what_breaks_is_told_as_ansible_does(files: dict[str, bytes], tmp_path: Path) -> None:
    broken = {"ansible/legacy/host_facts.py": b"def main() -> None:\n    raise ValueError('broken')\n"}
    lay_down(str(tmp_path), "all", encoded(files | broken), ENTRY)
    done = run(tmp_path / "all", "host_facts", {})
    answer = json.loads(done.stdout)
    assert done.returncode == 1
    assert answer["failed"]
    assert "broken" in json.dumps(answer["exception"])
