"""A host's word saves calls, and never hides a change."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from conftest import Host

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="modules stay on hosts for root only")

CALLBACKS = str(Path(__file__).parents[3] / "plugins" / "callback")
FACTS: dict[str, Any] = {"host_facts": {}}
SECRET = "s3cret-of-the-file"


class Run:
    """Plays on a host with the callback that listens."""

    def __init__(self, host: Host, tmp_path: Path) -> None:
        self.host = host
        self.file = tmp_path / "made"
        self.task: dict[str, Any] = {
            "managed_files": {"files": [{"dest": str(self.file), "content": SECRET, "secret": True}]}
        }

    def __call__(self, *tasks: dict[str, Any], options: tuple[str, ...] = ()) -> list[dict[str, Any]]:
        results, _ = self.host.run(*tasks, options=options, ANSIBLE_CALLBACK_PLUGINS=CALLBACKS)
        return results

    @property
    def asked(self) -> list[str]:
        """The modules that the host was asked for."""
        started = [command.split("run.py ")[1] for command, _ in self.host.calls if "run.py " in command]
        return [words.split()[0].rstrip("'") for words in started]

    def settle(self) -> None:
        """Let a run find everything in place, so that it is kept."""
        self(FACTS, self.task)
        time.sleep(0.6)
        results = self(FACTS, self.task)
        assert not results[1]["changed"]


@pytest.fixture
def run(host: Host, tmp_path: Path) -> Run:
    made = Run(host, tmp_path)
    made.settle()
    return made


def test_what_was_verified_is_not_asked_again(run: Run) -> None:
    before = run(FACTS, self_task := run.task)
    assert run.asked == ["host_facts"]
    assert not before[1]["changed"]
    assert before[1]["items"] == [{"changed": False, "dest": str(run.file), "reason": ""}]
    # The same in check mode, and without the callback by asking.
    checked = run(FACTS, self_task, options=("--check", "--diff"))
    assert run.asked == ["host_facts"]
    plain, _ = run.host.run(FACTS, self_task)
    assert run.asked == ["host_facts", "managed_files"]
    assert checked[1] == plain[1] == before[1]


@pytest.mark.parametrize("options", [(), ("--check",)])
def test_a_change_by_hand_is_found(run: Run, options: tuple[str, ...]) -> None:
    run.file.write_text("by hand")
    results = run(FACTS, run.task, options=options)
    assert results[1]["changed"]
    assert run.asked == ["host_facts", "managed_files"]
    assert run.file.read_text() == ("by hand" if options else SECRET)


def test_another_wish_is_asked_for(run: Run) -> None:
    run.task["managed_files"]["files"][0]["mode"] = "0600"
    assert run(FACTS, run.task)[1]["changed"]
    assert run.file.stat().st_mode & 0o777 == 0o600


def test_it_can_be_switched_off(run: Run) -> None:
    run(FACTS, run.task, options=("-e", "rackwright_trust_state=false"))
    assert run.asked == ["host_facts", "managed_files"]


@pytest.mark.parametrize(
    "task",
    [
        {"ansible.builtin.command": "true"},
        {"ansible.builtin.command": "true", "changed_when": False},
        {"ansible.builtin.command": "false"},
        {"ansible.builtin.command": "true", "delegate_to": "localhost", "changed_when": False},
        {"ansible.builtin.raw": "true", "when": "1 == 1"},
        {
            "managed_files": {
                "files": [{"dest": "{{ rackwright_modules_directory }}-other", "content": "{{ now() }}"}]
            }
        },
        {
            "managed_files": {
                "files": [{"dest": "{{ rackwright_modules_directory }}-other", "content": "{{ now() }}"}]
            },
            "changed_when": False,
        },
    ],
)
def test_nothing_is_believed_after_a_task_that_may_have_changed_the_host(
    run: Run, task: dict[str, Any]
) -> None:
    run(FACTS, task, run.task)
    assert run.asked[-1] == "managed_files"


@pytest.mark.parametrize(
    "task",
    [
        {"ansible.builtin.assert": {"that": "true", "quiet": True}},
        {"ansible.builtin.assert": {"that": "false"}},
        {"ansible.builtin.set_fact": {"a": "{{ 1 + 1 }}"}},
        {"ansible.builtin.stat": {"path": "/"}},
        {"ansible.builtin.command": "true", "when": "1 == 2"},
        {"ansible.builtin.command": "true", "loop": [1, 2], "when": "item == 3"},
        {"connect_probe": {"targets": []}},
    ],
)
def test_looking_and_reckoning_raise_no_doubt(run: Run, task: dict[str, Any]) -> None:
    failing = task == {"ansible.builtin.assert": {"that": "false"}}
    run(FACTS, task, run.task)
    assert ("managed_files" in run.asked) == failing


def test_facts_of_an_earlier_run_are_not_believed(run: Run, tmp_path: Path) -> None:
    cache = {"ANSIBLE_CACHE_PLUGIN": "jsonfile", "ANSIBLE_CACHE_PLUGIN_CONNECTION": str(tmp_path / "cache")}
    run.host.run(FACTS, run.task, ANSIBLE_CALLBACK_PLUGINS=CALLBACKS, **cache)
    run.file.write_text("by hand")
    results, _ = run.host.run(run.task, ANSIBLE_CALLBACK_PLUGINS=CALLBACKS, **cache)
    assert results[0]["changed"]


def test_no_secret_is_in_a_record(run: Run) -> None:
    state = run.host.modules.parent / "state"
    kept = [path.read_bytes() for path in state.iterdir()]
    assert len(kept) == 2
    assert not [text for text in kept if SECRET.encode() in text]


def test_results_are_the_same_in_the_main_process(host: Host, tmp_path: Path) -> None:
    made = {"files": [{"dest": str(tmp_path / "{{ item }}"), "content": "{{ item }}"}]}
    tasks: list[dict[str, Any]] = [
        FACTS,
        {"ansible.builtin.set_fact": {"a": [1, {"b": "{{ 'x' * 3 }}"}]}},
        {"ansible.builtin.assert": {"that": ["a[1].b == 'xxx'"], "success_msg": "{{ a }}"}},
        {"ansible.builtin.assert": {"that": ["item < 2"]}, "loop": [1, 2, 3]},
        {"ansible.builtin.debug": {"msg": "{{ nowhere }}"}},
        {"ansible.builtin.debug": {"msg": "{{ a | length }}"}, "when": "a", "no_log": True},
        {"ansible.builtin.debug": {"var": "a"}, "failed_when": "a | length == 2"},
        {"ansible.builtin.command": "true", "when": "nowhere"},
        {"ansible.builtin.command": "true", "when": "not a"},
        {
            "ansible.builtin.set_fact": {"c": "{{ item }}"},
            "loop": ["{{ a }}", 2],
            "loop_control": {"index_var": "i"},
        },
        {"managed_files": made, "loop": ["one", "two"]},
        {"managed_files": made, "loop": ["one", "two"], "vars": {"c": "{{ lookup('pipe', 'echo 1') }}"}},
        {"managed_files": {"nonsense": 1}},
        {"ansible.builtin.debug": {"msg": "{{ c }}"}},
    ]
    plain, _ = host.run(*tasks)
    for name in ("one", "two"):
        (tmp_path / name).unlink()
    here, _ = host.run(*tasks, ANSIBLE_CALLBACK_PLUGINS=CALLBACKS)
    for result in (plain, here):
        result[0] = {}
    assert here == plain
