"""managed_files on the host: checkers, secrets, big files, and what is refused."""

from __future__ import annotations

import errno
import grp
import os
import pwd
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeAlias
from unittest import mock

import pytest
from ansible.module_utils.rackwright import file_write

RunModule: TypeAlias = Callable[..., dict[str, Any]]

ME = {"owner": pwd.getpwuid(os.getuid()).pw_name, "group": grp.getgrgid(os.getgid()).gr_name}


def file_item(dest: Path, content: str = "text\n", **more: str | bool) -> dict[str, Any]:
    return {"dest": str(dest), "state": "file", "content": content, "mode": "0644", **ME, **more}


def test_a_checker_that_refuses_one_file_keeps_all_from_being_written(
    run_module: RunModule, tmp_path: Path
) -> None:
    good, bad = tmp_path / "good", tmp_path / "bad.conf"
    good.write_text("old")
    items = [file_item(good, "new"), file_item(bad, "nonsense", validate="grep -q sense=1 %s")]
    for check in (True, False):
        result = run_module("managed_files", {"files": items}, check=check)
        assert result["failed"]
        assert "grep -q sense=1" in result["msg"]
        assert good.read_text() == "old"
        assert sorted(path.name for path in tmp_path.iterdir()) == ["good"]


def test_a_checker_sees_the_new_content_beside_the_file_under_the_same_ending(
    run_module: RunModule, tmp_path: Path
) -> None:
    seen = tmp_path / "seen"
    checker = tmp_path / "checker"
    checker.write_text(f'#!/bin/sh\ncat "$1" > {seen}\necho "$1" >> {seen}\n')
    checker.chmod(0o755)
    folder = tmp_path / "etc"
    folder.mkdir()
    item = file_item(folder / "unit.service", "[Unit]\n", validate=f"{checker} %s")
    assert run_module("managed_files", {"files": [item]})["changed"]
    content, place = seen.read_text().splitlines()
    assert content == "[Unit]"
    assert Path(place).parent == folder
    assert Path(place).suffix == ".service"
    seen.unlink()
    assert not run_module("managed_files", {"files": [item]})["changed"]
    assert not seen.exists()


def test_a_check_run_does_not_make_a_directory_look_changed(run_module: RunModule, tmp_path: Path) -> None:
    os.utime(tmp_path, ns=(10**18, 10**18))
    item = file_item(tmp_path / "x", validate="true %s")
    assert run_module("managed_files", {"files": [item]}, check=True)["changed"]
    refused = file_item(tmp_path / "x", validate="false %s")
    assert run_module("managed_files", {"files": [refused]})["failed"]
    assert tmp_path.stat().st_mtime_ns == 10**18


def test_a_missing_checker_fails_a_run_but_not_a_check(run_module: RunModule, tmp_path: Path) -> None:
    item = file_item(tmp_path / "x", validate="no-such-checker --now %s")
    assert run_module("managed_files", {"files": [item]}, check=True)["changed"]
    result = run_module("managed_files", {"files": [item]})
    assert "no-such-checker is not installed" in result["msg"]
    assert not (tmp_path / "x").exists()


def test_what_other_tasks_would_have_made_may_be_missing_in_a_check(
    run_module: RunModule, tmp_path: Path
) -> None:
    item = file_item(
        tmp_path / "not" / "there" / "x", owner="nobody-such", group="nothing-such", validate="true %s"
    )
    assert run_module("managed_files", {"files": [item]}, check=True)["items"][0]["changed"]
    result = run_module("managed_files", {"files": [item]})
    assert result["failed"]
    for part in ("no user nobody-such", "no group nothing-such", "does not exist; list it"):
        assert part in result["msg"]


SECRET = "s3cret-\"value'"


@pytest.mark.parametrize("check", [True, False])
def test_a_secret_is_in_no_result(run_module: RunModule, tmp_path: Path, check: bool) -> None:
    secret = file_item(tmp_path / "secret", SECRET, secret=True)
    (tmp_path / "secret").write_text(SECRET + "-old")
    leaking = file_item(tmp_path / "other", SECRET, secret=True, validate="sh -c 'cat %s; exit 1'")
    for items in ([secret], [secret, leaking]):
        result = run_module("managed_files", {"files": items}, check=check, diff=True)
        assert result["failed"] == (len(items) == 2)
        assert "s3cret" not in str(result)
        assert "s3cret" not in str(result).encode().decode("unicode_escape")


def test_what_is_not_secret_is_shown(run_module: RunModule, tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_text("old\n")
    path.chmod(0o600)
    result = run_module("managed_files", {"files": [file_item(path, "new\n")]}, check=True, diff=True)
    assert result["items"][0]["diff"]["before"] == "old\n"
    assert result["items"][0]["diff"]["after"] == "new\n"
    assert result["items"][0]["reason"] == "content, mode 0600 -> 0644"


@pytest.mark.parametrize(
    ("items", "words"),
    [
        ([{"dest": "/x/a", "state": "absent"}, {"dest": "/x/a", "state": "directory"}], "listed twice"),
        ([{"dest": "/x/a", "state": "absent"}, {"dest": "/x/a/b", "state": "directory"}], "is listed too"),
        ([{"dest": "/etc", "state": "absent"}], "not something to remove"),
    ],
)
def test_lists_that_contradict_themselves_are_refused(
    run_module: RunModule, items: list[dict[str, Any]], words: str
) -> None:
    result = run_module("managed_files", {"files": items}, check=True)
    assert result["failed"]
    assert words in result["msg"]


def test_a_directory_is_never_replaced_by_a_file(run_module: RunModule, tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    result = run_module("managed_files", {"files": [file_item(tmp_path / "x"), file_item(tmp_path / "y")]})
    assert "is a directory, not a file" in result["msg"]
    assert not (tmp_path / "y").exists()


def test_a_directory_goes_with_everything_in_it(run_module: RunModule, tmp_path: Path) -> None:
    (tmp_path / "x" / "deep").mkdir(parents=True)
    (tmp_path / "x" / "deep" / "file").write_text("")
    items = [{"dest": str(tmp_path / "x"), "state": "absent"}]
    assert run_module("managed_files", {"files": items})["changed_dests"] == [str(tmp_path / "x")]
    assert not list(tmp_path.iterdir())
    assert not run_module("managed_files", {"files": items})["changed"]


def test_a_big_file_is_asked_for_only_when_it_differs(run_module: RunModule, tmp_path: Path) -> None:
    source, dest = tmp_path / "source", tmp_path / "dest"
    source.write_bytes(b"\0\1" * 500)
    checksum = sha256(source.read_bytes()).hexdigest()
    item = {"dest": str(dest), "state": "file", "sha256": checksum, "mode": "0755", **ME}
    assert run_module("managed_files", {"files": [item]}, check=True)["items"][0]["changed"]
    answer = run_module("managed_files", {"files": [item]})
    assert answer["to_fetch"] == [str(dest)]
    assert not answer["changed"]
    shipped = {**item, "staged": str(source)}
    assert run_module("managed_files", {"files": [shipped]})["changed"]
    assert dest.read_bytes() == source.read_bytes()
    again = run_module("managed_files", {"files": [item]})
    assert "to_fetch" not in again
    assert not again["changed"]


def test_a_mount_point_is_written_in_place(run_module: RunModule, tmp_path: Path) -> None:
    path = tmp_path / "hosts"
    path.write_text("a much longer old content\n")
    number = path.stat().st_ino
    replace = Path.replace

    def busy(self: Path, target: str | Path) -> Path:
        if str(target) == str(path):
            raise OSError(errno.EBUSY, "busy")
        return replace(self, target)

    with mock.patch.object(Path, "replace", busy):
        result = run_module("managed_files", {"files": [file_item(path, "new\n", mode="0600")]})
    assert result["changed"]
    assert path.read_text() == "new\n"
    assert path.stat().st_ino == number
    assert path.stat().st_mode & 0o777 == 0o600
    assert [entry.name for entry in tmp_path.iterdir()] == ["hosts"]


def test_different_files_wait_in_different_places() -> None:
    names = ["x", ".x", "x.conf", ".x.conf", "x.conf.d", "xconf", "x.tar.gz", "x.gz"]
    places = {file_write.staging_path(f"/etc/{name}") for name in names}
    assert len(places) == len(names)
    assert all(Path(place).name.startswith(".") for place in places)
