"""Checks in the main process: those that pass are quick, those that fail tell all that Ansible tells."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from rackwright.remote import passing

if TYPE_CHECKING:
    from conftest import Host

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="as the plays beside it")

CALLBACKS = str(Path(__file__).parents[3] / "plugins" / "callback")
SPEC = {"port": {"type": "int", "required": True}, "kind": {"type": "str", "choices": ["{{ allowed }}", "b"]}}
TASKS: list[dict[str, Any]] = [
    {"ansible.builtin.assert": {"that": "port == 1", "fail_msg": "port is {{ port }}", "quiet": True}},
    {"ansible.builtin.assert": {"that": "port == 2", "fail_msg": "port is {{ port }}", "quiet": True}},
    {"ansible.builtin.assert": {"that": "port == item", "msg": "not {{ item }}"}, "loop": [1, 2]},
    {"ansible.builtin.assert": {"that": "port != item", "fail_msg": "no {{ item }}"}, "loop": [3, 4]},
    {"ansible.builtin.validate_argument_spec": {"argument_spec": SPEC, "provided_arguments": {"kind": "a"}}},
    {"ansible.builtin.validate_argument_spec": {"argument_spec": SPEC, "provided_arguments": {"kind": "c"}}},
    {"ansible.builtin.validate_argument_spec": {"argument_spec": {"gone": {"required": True}}}},
]


def test_the_results_are_ansibles_own(host: Host) -> None:
    options = ("-e", '{"port": 1, "allowed": "a"}')
    plain, _ = host.run(*TASKS, options=options)
    here, _ = host.run(*TASKS, options=options, ANSIBLE_CALLBACK_PLUGINS=CALLBACKS)
    assert here == plain
    assert [bool(result.get("failed")) for result in here] == [False, True, True, False, False, True, True]
    assert here[1]["msg"] == "port is 1"


@pytest.mark.parametrize("more", [{}, {"loop": [1, 2]}])
def test_a_check_that_passes_makes_no_message(host: Host, more: dict[str, Any]) -> None:
    task = {"ansible.builtin.assert": {"that": "true", "fail_msg": "{{ nothing }}"}, **more}
    plain, _ = host.run(task)
    here, _ = host.run(task, ANSIBLE_CALLBACK_PLUGINS=CALLBACKS)
    assert plain[0].get("failed")
    assert not here[0].get("failed")


def test_a_task_is_asked_in_ansibles_way_again_only_when_it_is_such_a_check() -> None:
    assert passing.is_check("ansible.builtin.assert")
    assert passing.is_check("validate_argument_spec")
    assert not passing.is_check("managed_files")
