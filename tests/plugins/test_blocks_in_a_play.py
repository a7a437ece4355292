"""The batch blocks in real plays on this machine: rendering, handlers, secrets, and one call a run."""

from __future__ import annotations

import grp
import json
import os
import pwd
import subprocess
import sys
from pathlib import Path
from typing import Any, TypeAlias

import pytest
import yaml

ROOT = Path(__file__).parents[2]
ME = {"owner": pwd.getpwuid(os.getuid()).pw_name, "group": grp.getgrgid(os.getgid()).gr_name}
SECRET = "s3cret-of-the-play"
Value: TypeAlias = Any


class Play:
    """A role `ledger` and a play that uses it, below a directory of its own."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.role = root / "roles" / "ledger"
        for folder in ("tasks", "templates", "files", "meta", "handlers"):
            (self.role / folder).mkdir(parents=True)
        handlers = [
            {"name": name, "ansible.builtin.debug": {"msg": f"ran {name}"}} for name in ("one", "two", "all")
        ]
        self.write("handlers/main.yml", handlers)
        (root / "ansible.cfg").write_text("[defaults]\n")

    def write(self, place: str, content: Value) -> None:
        text = content if isinstance(content, str) else yaml.safe_dump(content)
        (self.role / place).write_text(text)

    def run(self, *options: str, **variables: Value) -> tuple[int, str]:
        play = [{"hosts": "all", "gather_facts": False, "roles": ["ledger"]}]
        (self.root / "play.yml").write_text(yaml.safe_dump(play))
        environment = {
            **os.environ,
            "ANSIBLE_CONFIG": str(self.root / "ansible.cfg"),
            "ANSIBLE_ACTION_PLUGINS": str(ROOT / "plugins" / "action"),
            "ANSIBLE_LIBRARY": str(ROOT / "plugins" / "modules"),
            "ANSIBLE_MODULE_UTILS": str(ROOT / "plugins" / "module_utils"),
            "ANSIBLE_LOCAL_TEMP": str(self.root / "tmp"),
            "ANSIBLE_REMOTE_TEMP": str(self.root / "remote"),
            "ANSIBLE_NOCOLOR": "1",
        }
        command = [str(Path(sys.executable).parent / "ansible-playbook"), "-i", "here,", "-c", "local"]
        facts = {"ansible_python_interpreter": sys.executable, "place": str(self.root), **variables}
        command += ["-e", json.dumps(facts), *options, str(self.root / "play.yml")]
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, check=False, timeout=120
        )
        return done.returncode, done.stdout + done.stderr


@pytest.fixture
def play(tmp_path: Path) -> Play:
    return Play(tmp_path)


def test_only_the_handlers_of_changed_items_run_and_no_secret_is_shown(play: Play) -> None:
    play.write("templates/a.conf.j2", "# {{ ansible_managed }}\n{% include 'part.j2' +%}\nraw: {{ raw }}\n")
    play.write("templates/part.j2", "size={{ size }} {{ extra }}\n")
    (play.role / "files" / "blob").write_bytes(b"\x00\xff\x01")
    (play.role / "files" / "big").write_bytes(b"\x00\xff" * 1_100_000)
    files = [
        {"dest": "{{ place }}/a.conf", "template": "a.conf.j2", "notify": "one", "vars": {"extra": "x"}},
        {
            "dest": "{{ place }}/secret",
            "content": "{{ secret }}",
            "secret": True,
            "mode": "0600",
            "notify": ["two"],
        },
        {"dest": "{{ place }}/blob", "src": "blob"},
        {"dest": "{{ place }}/big", "src": "big"},
    ]
    task = {"managed_files": {"files": [{**entry, **ME} for entry in files]}, "notify": "all"}
    play.write("tasks/main.yml", [task])
    variables = {"size": 1, "secret": SECRET, "raw": "{{ '{{' }} kept"}

    status, output = play.run("--check", "--diff", **variables)
    assert status == 0, output
    assert "+size=1 x" in output
    assert SECRET not in output
    assert not (play.root / "a.conf").exists()

    status, output = play.run("--diff", "-vvv", **variables)
    assert status == 0, output
    assert SECRET not in output
    assert [name for name in ("one", "two", "all") if f"ran {name}" in output] == ["one", "two", "all"]
    text = (play.root / "a.conf").read_text()
    assert (
        text
        == "# Managed by Rackwright: the next run overwrites what is changed here\nsize=1 x\nraw: {{ kept\n"
    )
    assert (play.root / "secret").read_text() == SECRET
    assert (play.root / "big").read_bytes() == (play.role / "files" / "big").read_bytes()
    assert (play.root / "blob").read_bytes() == b"\x00\xff\x01"

    status, output = play.run(**variables)
    assert "changed=0" in output
    assert "ran " not in output

    status, output = play.run(**{**variables, "size": 2})
    assert "changed=1" in output
    assert [name for name in ("one", "two", "all") if f"ran {name}" in output] == ["one", "all"]


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"managed_files": {"files": [{"dest": "x", "content": ""}]}}, "write an absolute path"),
    (
        {"managed_files": {"files": [{"dest": "/x", "content": "", "mode": 420}]}},
        "write a quoted octal number",
    ),
    (
        {"managed_files": {"files": [{"dest": "/x", "content": "", "src": "y"}]}},
        "one of template, content and src",
    ),
    ({"managed_files": {"files": [{"dest": "/x", "state": "absent", "mode": "0644"}]}}, "unknown mode"),
    ({"managed_files": {"files": [{"dest": "/x", "content": {"a": 1}}]}}, "content is a dictionary"),
    (
        {"managed_files": {"files": [{"dest": "/x", "content": "", "validate": "nginx -t"}]}},
        "write %s where",
    ),
    ({"managed_files": {"sysctl": {"a.b": 1}}}, "sysctl_name"),
    ({"managed_files": {"users": [{"name": "x", "grups": []}]}}, "unknown grups"),
    ({"units": {"items": [{"state": "started"}]}}, "has no name of a unit"),
    ({"units": {"items": [{"name": "x", "state": "running"}]}}, "write one of started"),
    ({"units": {"items": [{"name": "x", "restart_after": ["etc"]}]}}, "absolute paths"),
    ({"packages": {"roles": ["ledger"]}}, "run the host_facts module before"),
    ({"packages": {"pkgs": ["x"]}}, "unknown pkgs"),
]


def test_what_is_wrong_is_said_on_the_controller(play: Play) -> None:
    play.write("tasks/main.yml", [{**task, "ignore_errors": True} for task, _ in WRONG])
    # Nothing answers there: each refusal must come before a connection is tried.
    status, output = play.run(ansible_host="192.0.2.1", ansible_connection="ssh")
    assert status == 0, output
    assert f"ignored={len(WRONG)}" in output
    messages = [line for line in output.splitlines() if "[ERROR]" in line]
    for (_, words), message in zip(WRONG, messages, strict=True):
        assert words in message


def test_packages_of_roles_are_asked_for_once_a_run(play: Play) -> None:
    declared = {"default": {"install": ["bash"]}, "debian-99": {"install": ["base-files"]}}
    play.write("meta/packages.yml", declared)
    facts = {"os": "debian-99", "distribution": "Debian"}
    ask = {"packages": {"roles": ["ledger"]}, "register": "__ledger_packages", "check_mode": True}
    show = {"ansible.builtin.debug": {"msg": "asked {{ not __ledger_packages.skipped_call }}"}}
    names = {"packages": {"names": ["base-files"]}, "register": "__ledger_packages", "check_mode": True}
    more = {"packages": {"names": ["bash"]}, "register": "__ledger_packages", "check_mode": True}
    play.write("tasks/main.yml", [ask, show, names, show, more, show])
    status, output = play.run(host_facts=facts)
    assert status == 0, output
    assert [line.split("asked ")[1].strip('"') for line in output.splitlines() if "asked " in line] == [
        "True",
        "False",
        "True",
    ]


def test_a_role_says_why_a_system_is_not_supported(play: Play) -> None:
    declared = {"ubuntu": {"unsupported": "take Debian instead"}, "default": {"install": ["bash"]}}
    play.write("meta/packages.yml", declared)
    play.write("tasks/main.yml", [{"packages": {"roles": ["ledger"]}}])
    status, output = play.run(host_facts={"os": "ubuntu-22.04", "distribution": "Ubuntu"})
    assert status == 2
    assert "role ledger does not support ubuntu-22.04: take Debian instead" in " ".join(output.split())
