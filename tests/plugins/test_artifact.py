"""artifact: pinned files arrive whole and right, or not at all."""

from __future__ import annotations

import grp
import http.server
import io
import json
import os
import pwd
import runpy
import subprocess
import sys
import tarfile
import threading
from collections.abc import Iterator
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from ansible.module_utils.testing import patch_module_args

ROOT = Path(__file__).parents[2]
MODULE = ROOT / "plugins" / "modules" / "artifact.py"
ME = {"owner": pwd.getpwuid(os.getuid()).pw_name, "group": grp.getgrgid(os.getgid()).gr_name}
# What JSON can say.
Value: TypeAlias = Any


def checksum(content: bytes) -> str:
    return sha256(content).hexdigest()


class Host:
    """Runs the module as Ansible does, on directories of its own."""

    def __init__(self, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.dest = root / "var" / "models" / "a.gguf"
        self.state = root / "var" / "artifacts"
        self._capsys = capsys

    def item(self, source: str, content: bytes, **more: Value) -> dict[str, Value]:
        return {"dest": str(self.dest), "source": source, "sha256": checksum(content), **ME} | more

    def run(self, *items: dict[str, Value], check: bool = False, uploaded: bool = False) -> dict[str, Value]:
        arguments = {
            "items": list(items),
            "state_dir": str(self.state),
            "uploaded": uploaded,
            "_ansible_check_mode": check,
        }
        with patch_module_args(arguments), pytest.raises(SystemExit):
            runpy.run_path(str(MODULE), run_name="__main__")
        answer: dict[str, Value] = json.loads(self._capsys.readouterr().out)
        return answer


@pytest.fixture
def host(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Host:
    return Host(tmp_path, capsys)


class Silent(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Keep the tests' output clean."""


@pytest.fixture
def mirror(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    directory = tmp_path / "mirror"
    directory.mkdir()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Silent, directory=str(directory)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield directory, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_file_of_the_mirror_comes_in_one_call_and_once(host: Host, mirror: tuple[Path, str]) -> None:
    directory, url = mirror
    (directory / "a").write_bytes(b"model")
    item = host.item(f"{url}/a", b"model", mode="0640")
    assert host.run(item)["items"] == [{"dest": str(host.dest), "changed": True, "reason": "missing"}]
    assert host.dest.read_bytes() == b"model"
    assert host.dest.stat().st_mode & 0o7777 == 0o640
    (directory / "a").unlink()
    assert not host.run(item)["changed"]


def test_another_content_is_refused_and_the_old_file_stays(host: Host, mirror: tuple[Path, str]) -> None:
    directory, url = mirror
    host.dest.parent.mkdir(parents=True)
    host.dest.write_bytes(b"old")
    (directory / "a").write_bytes(b"tampered")
    refused = host.run(host.item(f"{url}/a", b"new"))
    assert refused["failed"]
    assert checksum(b"tampered") in refused["msg"]
    assert host.dest.read_bytes() == b"old"
    assert list(host.dest.parent.iterdir()) == [host.dest]


def test_a_silent_mirror_is_named(host: Host) -> None:
    refused = host.run(host.item("http://127.0.0.1:9/a", b"x"))
    assert "http://127.0.0.1:9/a does not give the file" in refused["msg"]


def test_check_fetches_nothing_and_says_so(host: Host, mirror: tuple[Path, str]) -> None:
    directory, url = mirror
    (directory / "a").write_bytes(b"model")
    assert host.run(host.item(f"{url}/a", b"model"), check=True)["changed"]
    assert not host.dest.exists()
    assert not host.state.exists()


def test_a_remembered_checksum_does_not_hide_a_changed_file(host: Host, mirror: tuple[Path, str]) -> None:
    directory, url = mirror
    (directory / "a").write_bytes(b"model")
    item = host.item(f"{url}/a", b"model")
    host.run(item)
    times = host.dest.stat()
    host.dest.write_bytes(b"MODEL")
    os.utime(host.dest, ns=(times.st_atime_ns, times.st_mtime_ns))
    mended = host.run(item)
    assert mended["items"][0]["reason"] == f"another content, SHA-256 {checksum(b'MODEL')}"
    assert host.dest.read_bytes() == b"model"


def test_a_wrong_mode_is_mended_without_fetching(host: Host, mirror: tuple[Path, str]) -> None:
    directory, url = mirror
    (directory / "a").write_bytes(b"model")
    item = host.item(f"{url}/a", b"model")
    host.run(item)
    (directory / "a").unlink()
    host.dest.chmod(0o600)
    assert host.run(item, check=True)["items"][0]["reason"] == "owner, group or mode"
    assert host.run(item)["changed"]
    assert host.dest.stat().st_mode & 0o7777 == 0o644
    assert not host.run(item)["changed"]


def test_a_file_that_does_not_fit_is_refused_before_it_is_sent(host: Host, tmp_path: Path) -> None:
    refused = host.run(host.item(str(tmp_path / "x"), b"x", size=2**60))
    assert "MiB are needed" in refused["msg"]


def test_an_upload_of_another_content_is_refused(host: Host, tmp_path: Path) -> None:
    item = host.item(str(tmp_path / "x"), b"right", size=5)
    upload = Path(host.run(item)["waiting"]["0"])
    upload.write_bytes(b"wrong")
    assert "nothing was replaced" in host.run(item, uploaded=True)["msg"]
    assert not host.dest.exists()


def test_an_upload_is_no_link_to_another_file(host: Host, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"right")
    item = host.item(str(tmp_path / "x"), b"right", size=5)
    Path(host.run(item)["waiting"]["0"]).symlink_to(tmp_path / "x")
    assert host.run(item, uploaded=True)["failed"]
    assert not host.dest.exists()


PLAY = """
- hosts: localhost
  gather_facts: false
  become: false
  tasks:
    - artifact:
        state_dir: "{{ root }}/state"
        items:
          - dest: "{{ root }}/host/a"
            source: "{{ root }}/a"
            sha256: "{{ sum }}"
            owner: "{{ me }}"
            group: "{{ us }}"
"""


class Play:
    """Runs a play with the action on this machine."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "play.yml").write_text(PLAY)

    def run(self, sha: str, *options: str) -> subprocess.CompletedProcess[str]:
        values = {"root": str(self.root), "sum": sha, "me": ME["owner"], "us": ME["group"]}
        return subprocess.run(
            [
                *(sys.executable, "-m", "ansible", "playbook", "-i", "localhost,", "-c", "local"),
                *(str(self.root / "play.yml"), "-e", json.dumps(values), *options),
            ],
            env={**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_BECOME": "false"},
            capture_output=True,
            text=True,
            check=False,
            cwd=ROOT,
        )


def test_the_action_streams_a_file_checks_it_first_and_changes_nothing_the_second_time(
    tmp_path: Path,
) -> None:
    play = Play(tmp_path)
    content = os.urandom(3 << 20)
    (tmp_path / "a").write_bytes(content)

    wrong = play.run("0" * 64)
    assert wrong.returncode != 0
    assert "nothing was sent" in wrong.stdout + wrong.stderr
    assert "changed=1" in play.run(checksum(content), "--check").stdout
    assert not (tmp_path / "host").exists()

    first = play.run(checksum(content))
    assert "changed=1" in first.stdout, first.stdout + first.stderr
    assert (tmp_path / "host" / "a").read_bytes() == content
    assert not (tmp_path / "state" / "incoming").exists()
    assert "changed=0" in play.run(checksum(content)).stdout


@pytest.mark.parametrize(
    ("sha", "told"), [("abc", "is not a SHA-256"), ("1" * 64, "is no file of the control node")]
)
def test_bad_input_is_refused_on_the_control_node(tmp_path: Path, sha: str, told: str) -> None:
    refused = Play(tmp_path).run(sha)
    assert refused.returncode != 0
    # Ansible breaks its messages into lines.
    assert told in " ".join((refused.stdout + refused.stderr).split())


def archive(**members: bytes) -> bytes:
    """Return a compressed archive of files."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name, content in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return packed.getvalue()


def test_one_file_is_taken_out_of_an_archive_and_known_again(host: Host, mirror: tuple[Path, str]) -> None:
    directory, url = mirror
    content = archive(readme=b"read me", program=b"#!/bin/sh\n")
    (directory / "release.tar.gz").write_bytes(content)
    item = host.item(f"{url}/release.tar.gz", content, member="program", mode="0755")

    assert host.run(item)["changed"]
    assert host.dest.read_bytes() == b"#!/bin/sh\n"
    assert host.dest.stat().st_mode & 0o777 == 0o755
    assert [path.name for path in host.dest.parent.iterdir()] == [host.dest.name]
    assert not host.run(item)["changed"]
    # Of another content than was put there nothing is known.
    host.dest.write_bytes(b"something else")
    assert host.run(item)["changed"]
    assert host.dest.read_bytes() == b"#!/bin/sh\n"


@pytest.mark.parametrize("member", ["absent", "../program"])
def test_what_is_not_in_the_archive_changes_nothing(
    host: Host, mirror: tuple[Path, str], member: str
) -> None:
    directory, url = mirror
    content = archive(program=b"new")
    (directory / "release.tar.gz").write_bytes(content)
    host.dest.parent.mkdir(parents=True)
    host.dest.write_bytes(b"old")

    failed = host.run(host.item(f"{url}/release.tar.gz", content, member=member))
    assert f"no archive with a file '{member}'" in failed["msg"]
    assert host.dest.read_bytes() == b"old"
    assert [path.name for path in host.dest.parent.iterdir()] == [host.dest.name]


def test_a_file_that_is_no_archive_is_refused(host: Host, mirror: tuple[Path, str]) -> None:
    directory, url = mirror
    (directory / "release.tar.gz").write_bytes(b"no archive")
    failed = host.run(host.item(f"{url}/release.tar.gz", b"no archive", member="program"))
    assert "no archive with a file 'program'" in failed["msg"]
    assert not host.dest.exists()
