"""managed_files on the host: what it says it does, what it does, and what a failure leaves behind."""

from __future__ import annotations

import errno
import grp
import os
import pwd
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias
from unittest import mock

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

Result: TypeAlias = dict[str, Any]
RunModule: TypeAlias = Callable[..., Result]

ME = {"owner": pwd.getpwuid(os.getuid()).pw_name, "group": grp.getgrgid(os.getgid()).gr_name}
ANY_TIME = settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])

NAMES = ("a", "b.conf", ".c", "d.service")
LINK = [
    {"dest": "", "state": "directory", "mode": "0755", **ME},
    {"dest": "a", "state": "link", "target": "elsewhere"},
]
texts = st.text(alphabet="xyz\n", max_size=8)
modes = st.sampled_from(["0600", "0644", "0755", "2750"])


@st.composite
def wishes(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Lists of items below a root: at most one item a path, files only in directories that are listed."""
    entries: list[dict[str, Any]] = []
    folders = draw(st.lists(st.sampled_from(["", "one", "two", "one/deep"]), unique=True, max_size=4))
    for folder in folders:
        entries.append({"dest": folder, "state": "directory", "mode": draw(modes), **ME})
        for name in draw(st.lists(st.sampled_from(NAMES), unique=True, max_size=3)):
            state = draw(st.sampled_from(["file", "file", "file", "link", "absent"]))
            entry: dict[str, Any] = {"dest": f"{folder}/{name}".lstrip("/"), "state": state}
            if state == "file":
                entry.update({"content": draw(texts), "mode": draw(modes), **ME})
            if state == "link":
                entry["target"] = draw(st.sampled_from(["/etc/hostname", "elsewhere"]))
            entries.append(entry)
    return draw(st.permutations(entries))


@st.composite
def trees(draw: st.DrawFn) -> dict[str, str]:
    """What is there before: contents of files and targets of links (they begin with ->) by path."""
    places = [f"{folder}/{name}".lstrip("/") for folder in ("", "one", "two", "one/deep") for name in NAMES]
    return draw(st.dictionaries(st.sampled_from(places), texts | st.just("->elsewhere"), max_size=6))


@contextmanager
def host(tree: dict[str, str]) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "host"
        root.mkdir()
        for place, content in tree.items():
            path = root / place
            path.parent.mkdir(parents=True, exist_ok=True)
            if content.startswith("->"):
                path.symlink_to(content[2:])
            else:
                path.write_text(content)
        yield root


def placed(items: list[dict[str, Any]], root: Path) -> dict[str, Any]:
    return {"files": [{**item, "dest": str(root / item["dest"])} for item in items]}


def picture(root: Path) -> dict[str, tuple[str, str]]:
    """Everything below a root: kind with mode, and content or target."""
    result = {}
    for path in sorted(root.rglob("*")):
        kind = "link" if path.is_symlink() else "directory" if path.is_dir() else "file"
        content = str(path.readlink()) if kind == "link" else path.read_text() if kind == "file" else ""
        mode = "" if kind == "link" else f"{path.stat().st_mode & 0o7777:04o}"
        result[str(path.relative_to(root))] = (f"{kind} {mode}", content)
    return result


def said(result: Result) -> list[tuple[str, bool, str]]:
    return [(item["dest"], item["changed"], item["reason"]) for item in result["items"]]


@ANY_TIME
@given(items=wishes(), tree=trees())
def test_check_says_what_apply_does_and_the_second_time_nothing_changes(
    run_module: RunModule, items: list[dict[str, Any]], tree: dict[str, str]
) -> None:
    with host(tree) as root:
        before = picture(root)
        foreseen = run_module("managed_files", placed(items, root), check=True, diff=True)
        assert picture(root) == before
        first = run_module("managed_files", placed(items, root), diff=True)
        assert first["failed"] == foreseen["failed"] is False
        assert said(first) == said(foreseen)
        assert [item.get("diff") for item in first["items"]] == [
            item.get("diff") for item in foreseen["items"]
        ]
        after = picture(root)
        assert first["changed"] == (after != before or root_mode_changed(first, root))
        for item in items:
            assert_as_wished(item, root)
        again = run_module("managed_files", placed(items, root))
        assert not again["changed"]
        assert picture(root) == after


def root_mode_changed(result: Result, root: Path) -> bool:
    return str(root) in result["changed_dests"]


def assert_as_wished(item: dict[str, Any], root: Path) -> None:
    path = root / item["dest"]
    if item["state"] == "absent":
        assert not os.path.lexists(path)
    elif item["state"] == "link":
        assert str(path.readlink()) == item["target"]
    else:
        assert path.is_dir() == (item["state"] == "directory")
        assert not path.is_symlink()
        assert f"{path.stat().st_mode & 0o7777:04o}" == item["mode"]
        if item["state"] == "file":
            assert path.read_text() == item["content"]


@ANY_TIME
@given(
    items=wishes(), tree=trees(), at=st.integers(0, 12), call=st.sampled_from(["fsync", "fchmod", "replace"])
)
@example(items=LINK, tree={"a": "->before"}, at=0, call="replace")
def test_a_failure_in_the_middle_leaves_every_file_old_or_new(
    run_module: RunModule, items: list[dict[str, Any]], tree: dict[str, str], at: int, call: str
) -> None:
    with host(tree) as root:
        before = picture(root)
        with failing(call, at):
            result = run_module("managed_files", placed(items, root))
        between = picture(root)
        wanted = {item["dest"]: item.get("content") for item in items if item["state"] == "file"}
        for place, (kind, content) in between.items():
            if kind.startswith("file"):
                old = before.get(place, ("", None))[1]
                assert content in (old, wanted.get(place, old))
        gone = {item["dest"] for item in items if item["state"] == "absent"}
        assert {place for place in before if place not in gone} <= set(between)
        assert not [place for place in between if "rackwright-tmp" in place]
        if result["failed"]:
            assert "old or new" in result["msg"]
        else:
            assert not run_module("managed_files", placed(items, root), check=True)["changed"]
        healed = run_module("managed_files", placed(items, root))
        assert not healed["failed"]
        for item in items:
            assert_as_wished(item, root)


@contextmanager
def failing(call: str, at: int) -> Iterator[None]:
    """Let one system call fail the at-th time it is made."""
    owner, counted = (Path, Path.replace) if call == "replace" else (os, getattr(os, call))
    count = 0

    def fail_once(*arguments: object) -> object:
        nonlocal count
        count += 1
        if count == at + 1:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(arguments[0]))
        return counted(*arguments)

    with mock.patch.object(owner, call, fail_once):
        yield


@pytest.mark.parametrize("at", range(4))
def test_a_killed_run_leaves_every_file_old_or_new_and_the_next_one_tidies_up(
    run_module: RunModule, at: int
) -> None:
    items = [
        {"dest": f"f{n}.conf", "state": "file", "content": "new", "mode": "0644", **ME} for n in range(4)
    ]
    tree = {f"f{n}.conf": "old" for n in range(4)}
    with host(tree) as root:
        child = os.fork()
        if child == 0:
            count = 0
            replace = Path.replace

            def die(self: Path, target: str) -> Path:
                nonlocal count
                count += 1
                if count == at + 1:
                    os._exit(9)
                return replace(self, target)

            with mock.patch.object(Path, "replace", die):
                run_module("managed_files", placed(items, root))
            os._exit(0)
        _, status = os.waitpid(child, 0)
        assert os.waitstatus_to_exitcode(status) == 9
        contents = [(root / f"f{n}.conf").read_text() for n in range(4)]
        assert contents == ["new"] * at + ["old"] * (4 - at)
        assert not run_module("managed_files", placed(items, root))["failed"]
        assert sorted(path.name for path in root.iterdir()) == [f"f{n}.conf" for n in range(4)]
        assert {path.read_text() for path in root.iterdir()} == {"new"}
