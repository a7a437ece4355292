"""The same checks in a play: everything is told, and no host is contacted."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from bad_input import BAD, LET_PASS

from rackwright.site.paths import repository_root

Edit = Callable[[str, str, str], None]
Play = Callable[..., subprocess.CompletedProcess[str]]
ROOT = repository_root()
# Stands for ssh: notes that it was called, and fails as an unreachable host does.
SSH = '#!/bin/sh\necho "$@" >> "$0.calls"\nexit 255\n'


@pytest.fixture
def ssh(tmp_path: Path) -> Path:
    path = tmp_path / "ssh"
    path.write_text(SSH, encoding="utf-8")
    path.chmod(0o755)
    return path


@pytest.fixture
def play(lab: Path, tmp_path: Path, ssh: Path) -> Play:
    """Run preflight and then a play that contacts every host."""
    playbook = tmp_path / "site.yml"
    playbook.write_text(
        f"- import_playbook: {ROOT}/playbooks/preflight.yml\n"
        "- hosts: platform\n  gather_facts: false\n  tasks: [{ansible.builtin.raw: 'true'}]\n",
        encoding="utf-8",
    )

    def run(**environment: str) -> subprocess.CompletedProcess[str]:
        settings = {
            "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
            "ANSIBLE_SSH_EXECUTABLE": str(ssh),
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_LOCAL_TEMP": str(tmp_path / "ansible"),
        }
        return subprocess.run(
            [str(Path(sys.executable).parent / "ansible-playbook"), "-i", str(lab), str(playbook)],
            env=os.environ | settings | environment,
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def calls(ssh: Path) -> str:
    noted = ssh.with_name("ssh.calls")
    return noted.read_text(encoding="utf-8") if noted.exists() else ""


def test_sound_input_goes_on_to_the_hosts(play: Play, ssh: Path) -> None:
    result = play()
    assert "10.77.30.11" in calls(ssh), result.stdout + result.stderr
    assert "failed=0" in next(line for line in result.stdout.splitlines() if line.startswith("localhost"))


def test_bad_input_stops_before_any_host(play: Play, ssh: Path, lab: Path, edit: Edit) -> None:
    edit("hosts.yml", "    redis: {hosts", "    reddis: {hosts")
    edit("group_vars/all/site.yml", "site_name: lab\n", "site_name: lab\nhost_memry_mb: 4096\n")
    edit("group_vars/all/site.yml", '.20.0/24"}', '.10.0/24"}')
    (lab / "group_vars/all/vault.yml").unlink()
    result = play()
    assert result.returncode != 0
    assert calls(ssh) == ""
    text = " ".join((result.stdout + result.stderr).split())
    for part in (
        "6 to mend in the site's input; no host has been touched",
        "groups = reddis (group reddis)",
        "did you mean `redis`?",
        "host_memry_mb = (set)",
        "did you mean `host_memory_mb`?",
        "zones.dmz.cidr = 10.77.10.0/24",
        "it overlaps zones.app.cidr",
        "ansible_host = 10.77.20.11 (host app1)",
        "vault_jwt_secret",
        f"rackwright secrets init -i {lab}",
    ):
        assert part in text


@pytest.mark.parametrize(
    "name",
    ["unknown tier", "negative share", "host name with a dot", "group with no host", "key given twice"],
)
def test_the_play_refuses_what_the_command_refuses(name: str, play: Play, ssh: Path, edit: Edit) -> None:
    case = BAD[name]
    for change in case.edits:
        edit(*change)
    result = play()
    assert result.returncode != 0
    assert calls(ssh) == ""
    text = " ".join((result.stdout + result.stderr).split())
    assert "no host has been touched" in text
    assert "Traceback" not in text
    for variable, value, rule, hint, where in case.told:
        assert f"{variable} = {value}" in text
        assert rule in text
        assert hint in text
        assert where in text


@pytest.mark.parametrize("name", ["tab in YAML", "no YAML"])
def test_what_ansible_cannot_read_touches_no_host(name: str, play: Play, ssh: Path, edit: Edit) -> None:
    for change in BAD[name].edits:
        edit(*change)
    result = play()
    assert result.returncode != 0
    assert calls(ssh) == ""
    # Ansible's own words, before any play; `rackwright validate` names file and line.
    assert "YAML parsing failed" in result.stdout + result.stderr
    assert "Traceback" not in result.stdout + result.stderr


def test_a_warning_is_shown_and_the_run_goes_on(play: Play, ssh: Path, edit: Edit) -> None:
    for change in LET_PASS["everybody is a client"].edits:
        edit(*change)
    result = play()
    assert "the whole world may use /api/" in " ".join((result.stdout + result.stderr).split())
    assert calls(ssh) != ""


def test_another_order_of_values_is_refused(play: Play, ssh: Path, tmp_path: Path) -> None:
    text = (ROOT / "ansible.cfg").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.startswith("precedence")]
    paths = {
        "roles_path",
        "library",
        "module_utils",
        "action_plugins",
        "filter_plugins",
        "lookup_plugins",
        "vault_password_file",
    }
    for number, line in enumerate(lines):
        key, _, value = line.partition(" = ")
        if key in paths:
            lines[number] = f"{key} = {ROOT / value}"
    config = tmp_path / "ansible.cfg"
    config.write_text("\n".join(lines), encoding="utf-8")
    result = play(ANSIBLE_CONFIG=str(config))
    assert result.returncode != 0
    assert calls(ssh) == ""
    text = " ".join((result.stdout + result.stderr).split())
    assert "precedence = " in text
    assert "the project's values win over the site's" in text
    assert f"export ANSIBLE_CONFIG={ROOT / 'ansible.cfg'}" in text
    assert str(config) in text


def test_a_value_given_on_the_command_line_counts(lab: Path, tmp_path: Path) -> None:
    """Extra variables are the strongest in a play, so they are what is checked."""
    result = subprocess.run(
        [
            str(Path(sys.executable).parent / "ansible-playbook"),
            *("-i", str(lab), str(ROOT / "playbooks/preflight.yml"), "-e", '{"host_memory_mb": "plenty"}'),
        ],
        env=os.environ | {"ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode != 0
    assert "host_memory_mb = 'plenty'" in result.stdout + result.stderr
