"""What is laid down is complete, and there as a whole or not at all."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from rackwright.remote import lay_down as code
from rackwright.remote.lay_down import lay_down
from rackwright.remote.payload import ENTRY, packed

MODULES = Path(__file__).parents[3] / "plugins" / "modules"
SMALL = {ENTRY: b"print('ran')\n", "ansible/__init__.py": b""}


def encoded(files: dict[str, bytes]) -> str:
    return base64.b64encode(packed(files)).decode("ascii")


def put(root: Path, name: str, files: dict[str, bytes] | None = None) -> Path:
    lay_down(str(root), name, encoded(files or SMALL), ENTRY)
    return root / name


def test_the_same_files_make_the_same_archive(files: dict[str, bytes]) -> None:
    assert packed(files) == packed(dict(reversed(files.items())))


def test_every_module_starts_without_ansible(files: dict[str, bytes], tmp_path: Path) -> None:
    place = put(tmp_path / "modules", "all", files)
    names = sorted(path.stem for path in MODULES.glob("*.py"))
    imports = f"import sys; sys.path.insert(0, {str(place)!r})\n" + "".join(
        f"import ansible.legacy.{name} as m; assert m.__file__.startswith({str(place)!r}); m.main\n"
        for name in names
    )
    # The system's own interpreter has no Ansible; -I -S keeps everything else out.
    done = subprocess.run(
        ["/usr/bin/python3", "-I", "-S", "-c", imports], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert len(names) > 10


def test_bytecode_is_there_before_the_first_call(files: dict[str, bytes], tmp_path: Path) -> None:
    place = put(tmp_path / "modules", "all", files)
    before = {path: path.stat().st_mtime_ns for path in place.rglob("*.pyc")}
    assert len(before) >= len([name for name in files if name.endswith(".py")])
    done = subprocess.run(
        [sys.executable, "-I", "-S", str(place / ENTRY), "host_facts"],
        input=json.dumps({"ANSIBLE_MODULE_ARGS": {"_ansible_no_log": True}}),
        capture_output=True,
        text=True,
        check=False,
    )
    assert json.loads(done.stdout)["ansible_facts"]["host_facts"]["python"], done.stderr
    assert {path: path.stat().st_mtime_ns for path in place.rglob("*.pyc")} == before


def test_nobody_else_may_read_or_write(tmp_path: Path) -> None:
    place = put(tmp_path / "modules", "one")
    assert (tmp_path / "modules").stat().st_mode & 0o777 == 0o700
    assert place.stat().st_mode & 0o777 == 0o700


def test_a_directory_that_others_may_write_to_is_refused(tmp_path: Path) -> None:
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    with pytest.raises(PermissionError, match="can be changed by others"):
        put(tmp_path / "open" / "modules", "one")
    assert not list((tmp_path / "open" / "modules").iterdir())


@pytest.mark.parametrize("step", ["compile_dir", "sync", "rename"])
def test_a_failure_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    if step == "compile_dir":
        monkeypatch.setattr(code.compileall, "compile_dir", fail)
    elif step == "sync":
        monkeypatch.setattr(code.subprocess, "run", fail)
    else:
        monkeypatch.setattr(Path, "rename", fail)
    with pytest.raises(OSError, match=r"No space|run\.py"):
        put(tmp_path / "modules", "one")
    assert not list((tmp_path / "modules").iterdir())


def test_a_broken_directory_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "modules" / "one" / "ansible").mkdir(parents=True)
    place = put(tmp_path / "modules", "one")
    assert (place / ENTRY).read_bytes() == SMALL[ENTRY]
    assert [path.name for path in (tmp_path / "modules").iterdir()] == ["one"]


def test_two_generations_are_kept(tmp_path: Path) -> None:
    for age, name in ((30, "a"), (20, "b"), (10, "c")):
        place = put(tmp_path / "modules", name)
        os.utime(place, (place.stat().st_mtime - age,) * 2)
    put(tmp_path / "modules", "d")
    assert sorted(path.name for path in (tmp_path / "modules").iterdir()) == ["c", "d"]
