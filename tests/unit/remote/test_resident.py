"""Modules that stay on a host do what modules do that Ansible sends."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from conftest import Host

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="modules stay on hosts for root only")

FACTS: dict[str, Any] = {"host_facts": {}}
SECRET = "s3cret-of-the-call"


def laid_down(host: Host) -> int:
    return sum(command.endswith(" -'") or " -I -S - " in command for command, _ in host.calls)


def started(host: Host) -> int:
    return sum(
        "run.py host_facts" in command or "run.py managed_files" in command for command, _ in host.calls
    )


def test_sent_once_then_only_the_arguments(host: Host) -> None:
    host.run(FACTS, FACTS)
    assert (laid_down(host), started(host), len(host.calls)) == (1, 3, 4)
    host.run(FACTS)
    assert (laid_down(host), started(host), len(host.calls)) == (0, 1, 1)
    assert host.calls[0][1] < 2000


def test_results_are_those_of_modules_that_ansible_sends(host: Host, tmp_path: Path) -> None:
    file = {"files": [{"dest": str(tmp_path / "made"), "content": "ä: 1\n", "notify": []}]}
    tasks = [
        FACTS,
        {"managed_files": file, "diff": True, "check_mode": True},
        {"connect_probe": {"targets": []}},
        {"connect_probe": {"unknown": 1}},
        {"service_probe": {"checks": []}},
    ]
    plain, _ = host.run(*tasks, ANSIBLE_PIPELINING="0")
    assert laid_down(host) == started(host) == 0
    first, _ = host.run(*tasks)
    assert laid_down(host) == 1
    again, _ = host.run(*tasks)
    assert laid_down(host) == 0
    assert started(host) == 2
    for results in (plain, first, again):
        # What check mode foresees is noted under the name of the run.
        assert results[1].pop("ansible_facts")["rackwright_foreseen"]["paths"]
    assert plain == first == again


def test_secrets_are_in_no_command_and_no_file(host: Host, tmp_path: Path) -> None:
    file = {"dest": str(tmp_path / "made"), "content": SECRET, "secret": True}
    _, printed = host.run({"managed_files": {"files": [file]}}, options=("-v",))
    assert (tmp_path / "made").read_text() == SECRET
    assert started(host) == 2
    assert not [command for command, _ in host.calls if SECRET in command]
    assert SECRET not in printed
    kept = [
        path for path in host.modules.rglob("*") if path.is_file() and SECRET.encode() in path.read_bytes()
    ]
    assert not kept


def test_check_mode_lays_nothing_down_and_uses_what_is_there(host: Host) -> None:
    (found,), _ = host.run(FACTS, options=("--check",))
    assert found["ansible_facts"]["host_facts"]
    assert laid_down(host) == 0
    assert not host.modules.exists()
    host.run(FACTS)
    host.run(FACTS, options=("--check",))
    assert (len(host.calls), started(host)) == (1, 1)


@pytest.mark.parametrize(
    ("task", "environment"),
    [
        ({}, {"ANSIBLE_PIPELINING": "0"}),
        ({}, {"ANSIBLE_KEEP_REMOTE_FILES": "1"}),
        ({"become": True, "become_user": "nobody"}, {}),
        ({"async": 30, "poll": 1}, {}),
        ({"delegate_to": "localhost"}, {}),
    ],
)
def test_where_it_cannot_be_ansible_sends_the_module(
    host: Host, task: dict[str, Any], environment: dict[str, str]
) -> None:
    host.run({**FACTS, **task}, **environment)
    assert laid_down(host) == started(host) == 0
    assert not host.modules.exists()


def test_a_directory_that_cannot_be_made_is_said_and_costs_time_only(host: Host) -> None:
    host.modules.write_text("in the way")
    (found,), printed = host.run(FACTS)
    assert found["ansible_facts"]["host_facts"]
    assert "the modules travel with every call" in printed


def test_a_module_that_crashes_is_reported(host: Host) -> None:
    host.run(FACTS)
    (module,) = host.modules.glob("*/ansible/legacy/host_facts.py")
    for compiled in module.parent.glob("__pycache__/host_facts.*"):
        compiled.unlink()
    module.write_text(
        "from ansible.module_utils.basic import AnsibleModule\n\nraise ZeroDivisionError('oops')\n"
    )
    (found,), printed = host.run(FACTS)
    assert found["failed"]
    assert "oops" in found["msg"]
    assert "oops" in printed
    module.write_text("print('junk')\nraise SystemExit(2)\n")
    (found,), _ = host.run(FACTS)
    assert found["failed"]
    assert found["rc"] == 2
    assert "junk" in found["module_stdout"]
    assert len(host.calls) == 1


def test_a_missing_interpreter_is_told_in_ansibles_words(host: Host) -> None:
    (found,), _ = host.run({**FACTS, "vars": {"ansible_python_interpreter": "/nowhere/python3"}})
    assert found["failed"]
    assert "/nowhere/python3" in found["msg"]
    assert len(host.calls) == 1
