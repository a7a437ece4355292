"""app_release: releases lie side by side, count only when whole, and are switched in one step."""

from __future__ import annotations

import base64
import ensurepip
import hashlib
import json
import runpy
import sys
import tarfile
import zipfile
from io import BytesIO
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from ansible.module_utils.testing import patch_module_args

ROOT = Path(__file__).parents[2]
MODULE = ROOT / "plugins" / "modules" / "app_release.py"
# What JSON can say.
Value: TypeAlias = Any


def wheel(version: str) -> bytes:
    """A package with the app's name and command, and nothing else."""
    info = f"rackwright_app-{version}.dist-info"
    files = {
        "rackwright_app.py": f"def main():\n    print({version!r})\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: rackwright-app\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": "[console_scripts]\nrackwright-app = rackwright_app:main\n",
    }
    record = ""
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in files.items():
            digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
            record += f"{name},sha256={digest},{len(text)}\n"
            archive.writestr(name, text)
        archive.writestr(f"{info}/RECORD", record + f"{info}/RECORD,,\n")
    return buffer.getvalue()


def archive(path: Path, version: str, **extra: bytes) -> str:
    """An archive as `rackwright wheelhouse build` makes it; returns its checksum."""
    app = wheel(version)
    installer = next((Path(ensurepip.__file__).parent / "_bundled").glob("pip-*.whl"))
    name = f"wheels/rackwright_app-{version}-py3-none-any.whl"
    files = {
        name: app,
        f"installer/{installer.name}": installer.read_bytes(),
        "requirements.txt": f"./{name} --hash=sha256:{hashlib.sha256(app).hexdigest()}\n".encode(),
        **extra,
    }
    with tarfile.open(path, "w") as out:
        for member, content in files.items():
            info = tarfile.TarInfo(member)
            info.size = len(content)
            out.addfile(info, BytesIO(content))
    return hashlib.sha256(path.read_bytes()).hexdigest()


class Host:
    """Runs the module as Ansible does, on a directory of its own."""

    def __init__(self, directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.directory = directory
        self.root = directory / "app"
        self.capsys = capsys

    def run(
        self, sha256: str, upload: Path | None = None, *, check: bool = False, keep: int = 3
    ) -> dict[str, Value]:
        arguments = {
            "root": str(self.root),
            "sha256": sha256,
            "python": sys.executable,
            "keep": keep,
            "_ansible_check_mode": check,
        }
        if upload:
            arguments["upload"] = str(upload)
        with patch_module_args(arguments), pytest.raises(SystemExit):
            runpy.run_path(str(MODULE), run_name="__main__")
        answer: dict[str, Value] = json.loads(self.capsys.readouterr().out)
        return answer

    def installed(self, version: str) -> str:
        """Install a version and return its checksum."""
        path = self.directory / f"{version}.tar"
        sha256 = archive(path, version)
        answer = self.run(sha256, path)
        assert answer["changed"], answer
        return sha256

    def names(self) -> set[str]:
        return {path.name for path in (self.root / "releases").iterdir()}


@pytest.fixture
def host(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Host:
    return Host(tmp_path, capsys)


def test_a_release_is_installed_from_its_own_wheels_and_found_again(host: Host) -> None:
    path = host.directory / "one.tar"
    sha256 = archive(path, "1.0")
    assert host.run(sha256)["waiting"] is True
    answer = host.run(sha256, path)
    assert (answer["changed"], answer["release"], answer["previous"]) == (True, sha256[:16], "")
    command = host.root / "current" / "bin" / "rackwright-app"
    assert command.is_file()
    # The command names its own release, so that what runs keeps running from it when `current` is switched.
    assert str(host.root / "releases" / sha256[:16]) in command.read_text().splitlines()[0]
    assert not (host.root / "current" / "bin" / "pip").exists()
    assert not (host.root / "current" / ".stage").exists()
    assert json.loads((host.root / "release.json").read_text()) == {"release": sha256[:16]}
    before = (host.root / "release.json").stat()
    assert host.run(sha256)["changed"] is False
    assert (host.root / "release.json").stat() == before


def test_check_mode_touches_nothing(host: Host) -> None:
    answer = host.run("a" * 64, check=True)
    assert answer["changed"] is True
    assert answer["diff"] == {"before": "\n", "after": "a" * 16 + "\n"}
    assert not host.root.exists()


def test_the_way_back_needs_no_archive(host: Host) -> None:
    first, second = host.installed("1.0"), host.installed("2.0")
    assert (host.root / "current").readlink().name == second[:16]
    answer = host.run(first)
    assert (answer["changed"], answer["reason"]) == (True, "current leads elsewhere")
    assert (host.root / "current").readlink().name == first[:16]


def test_an_interrupted_installation_is_made_anew(host: Host) -> None:
    path = host.directory / "one.tar"
    sha256 = archive(path, "1.0")
    half = host.root / "releases" / sha256[:16]
    (half / "lib").mkdir(parents=True)
    (half / "lib" / "rest").write_text("of an earlier try")
    assert host.run(sha256)["waiting"] is True
    assert host.run(sha256, path)["changed"] is True
    assert not (half / "lib" / "rest").exists()


def test_a_switch_that_was_not_announced_is_announced(host: Host) -> None:
    sha256 = host.installed("1.0")
    (host.root / "release.json").unlink()
    assert host.run(sha256)["reason"] == "not announced"
    assert host.run(sha256)["changed"] is False


@pytest.mark.parametrize("fault", ["checksum", "member", "hash"])
def test_what_is_wrong_is_refused_and_the_old_release_stays(host: Host, fault: str) -> None:
    first = host.installed("1.0")
    path = host.directory / "bad.tar"
    extra: dict[str, bytes] = {}
    if fault == "member":
        extra = {"../../outside.whl": b"x"}
    if fault == "hash":
        extra = {
            "requirements.txt": b"./wheels/rackwright_app-2.0-py3-none-any.whl --hash=sha256:" + b"0" * 64
        }
    sha256 = archive(path, "2.0", **extra)
    wanted = "f" * 64 if fault == "checksum" else sha256
    answer = host.run(wanted, path)
    assert answer["failed"] is True
    assert answer["msg"].startswith("app_release: ")
    assert (host.root / "current").readlink().name == first[:16]
    assert not (host.directory / "outside.whl").exists()
    assert host.run(wanted)["waiting"] is True


def test_old_releases_are_removed_but_not_the_one_before(host: Host) -> None:
    checksums = [host.installed(f"{number}.0") for number in range(1, 4)]
    assert host.names() == {each[:16] for each in checksums}
    path = host.directory / "four.tar"
    fourth = archive(path, "4.0")
    host.run(fourth, path, keep=2)
    assert host.names() == {checksums[2][:16], fourth[:16]}
