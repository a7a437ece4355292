"""Playbooks run for real, on this machine: results, log, summary, refusals."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from rich.console import Console

from rackwright.errors import RackwrightError
from rackwright.operations import runner
from rackwright.operations.apply import apply_site

PLAYBOOK = """---
- name: Here
  hosts: all
  connection: local
  become: false
  gather_facts: false
  tasks:
    - name: Say something
      ansible.builtin.debug:
        msg: "secret-free"
    - name: Make a file
      ansible.builtin.copy:
        content: "x"
        dest: "{{ playbook_dir }}/made"
        mode: "0644"
"""
FAILING = (
    PLAYBOOK
    + """    - name: Refuse
      ansible.builtin.fail:
        msg: this is why
"""
)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with playbooks of its own, in which runs are kept."""
    (tmp_path / "playbooks").mkdir()
    (tmp_path / "playbooks/one.yml").write_text(PLAYBOOK)
    (tmp_path / "playbooks/bad.yml").write_text(FAILING)
    (tmp_path / "ansible.cfg").write_text("[defaults]\ninterpreter_python = /usr/bin/python3\n")
    (tmp_path / "hosts.ini").write_text("here ansible_connection=local\n")
    monkeypatch.setattr(runner, "repository_root", lambda: tmp_path)
    return tmp_path


def test_a_run_tells_what_it_did_and_keeps_a_log(project: Path) -> None:
    run = runner.run_playbook("playbooks/one.yml", [project / "hosts.ini"])
    assert run.successful
    assert dict(run.recap.counts["here"]) == {"ok": 1, "changed": 1}
    assert "Make a file" in run.log.read_text()
    summary = json.loads((run.log.parent / "summary.json").read_text())
    assert summary["status"] == "successful"
    assert [entry["task"] for entry in summary["changed"]] == ["Make a file"]
    assert (project / ".runs").stat().st_mode & 0o077 == 0


def test_an_argument_reaches_the_playbook_whole(project: Path) -> None:
    told = PLAYBOOK.replace('"x"', "\"{{ words | join('|') }}\"")
    (project / "playbooks/one.yml").write_text(told)
    values = json.dumps({"words": ["-d 60", "it's", '"quoted"']})
    assert runner.run_playbook(
        "playbooks/one.yml", [project / "hosts.ini"], arguments=["-e", values]
    ).successful
    assert (project / "playbooks/made").read_text() == '-d 60|it\'s|"quoted"'


def test_the_next_run_knows_what_to_expect(project: Path) -> None:
    assert runner.expected_tasks("playbooks/one.yml") is None
    runner.run_playbook("playbooks/one.yml", [project / "hosts.ini"])
    assert runner.expected_tasks("playbooks/one.yml") == 2
    assert (runner.expected_seconds("playbooks/one.yml") or 0) > 0
    assert runner.expected_tasks("playbooks/bad.yml") is None


def test_a_failure_is_shown_with_its_reason(project: Path) -> None:
    with (project / "shown").open("w") as shown:
        run = apply_site(Console(file=shown, width=100), "playbooks/bad.yml", [project / "hosts.ini"])
    assert not run.successful
    text = (project / "shown").read_text()
    assert "this is why" in text
    assert "FAILED here" in text


def test_the_summary_names_what_changed(project: Path) -> None:
    with (project / "shown").open("w") as shown:
        apply_site(Console(file=shown, width=100), "playbooks/one.yml", [project / "hosts.ini"])
        apply_site(Console(file=shown, width=100), "playbooks/one.yml", [project / "hosts.ini"])
    text = (project / "shown").read_text()
    assert "Make a file" in text.split("Nothing changed.")[0]
    assert text.count("successful") == 2


def test_old_runs_leave(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "_KEPT_RUNS", 2)
    for _ in range(3):
        runner.run_playbook("playbooks/one.yml", [project / "hosts.ini"])
    assert len(list((project / ".runs").iterdir())) == 2


@pytest.mark.parametrize(
    ("playbook", "inventory", "complaint"),
    [
        ("playbooks/none.yml", "hosts.ini", "no playbook playbooks/none.yml"),
        ("playbooks/one.yml", "nowhere", "no inventory"),
    ],
)
def test_what_does_not_exist_is_refused(project: Path, playbook: str, inventory: str, complaint: str) -> None:
    with pytest.raises(RackwrightError, match=complaint):
        runner.run_playbook(playbook, [project / inventory])
    assert not (project / ".runs").exists()
    shutil.rmtree(project / "playbooks")
