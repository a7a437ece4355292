"""Parts, differences, and what a bundle does not need any more."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from rackwright.bundle import manifest, parts, toolkit, verify
from rackwright.bundle.manifest import BundleError, Manifest
from rackwright.bundle.store import Store

Make = Callable[..., Manifest]
OLD = {"files/a": ("file", b"a" * 70_000), "files/b": ("file", b"b" * 30_000), "files/c": ("file", b"c")}
NEW = {**OLD, "files/b": ("file", b"B" * 20_000), "files/d": ("file", b"c")}


def silent(_size: int) -> None:
    pass


@pytest.mark.parametrize("size", [1_000, 40_000, 1_000_000])
def test_parts_make_the_bundle_again(make: Make, key: str, tmp_path: Path, size: int) -> None:
    made = make(tmp_path / "b", OLD)
    found = parts.split(tmp_path / "b", tmp_path / "media", size, silent)
    for part in found:
        assert sum(each.stat().st_size for each in (part / "pieces").iterdir()) <= size
    assert len(found) == -(-made.size // size)
    joined = parts.join(found[::-1], tmp_path / "again", silent)
    assert joined.digest == made.digest
    assert verify.verify(tmp_path / "again", key)[1] == []


def test_a_part_that_was_left_out_or_damaged_is_named(make: Make, tmp_path: Path) -> None:
    make(tmp_path / "b", OLD)
    found = parts.split(tmp_path / "b", tmp_path / "media", 40_000, silent)
    with pytest.raises(BundleError, match="parts that were not named: 2"):
        parts.join([found[0], found[2]], tmp_path / "again", silent)
    piece = next((found[1] / "pieces").iterdir())
    piece.write_bytes(piece.read_bytes()[:-1])
    with pytest.raises(BundleError, match=piece.name):
        parts.join(found, tmp_path / "again", silent)


def test_a_join_that_was_cut_goes_on(make: Make, key: str, tmp_path: Path) -> None:
    make(tmp_path / "b", OLD)
    found = parts.split(tmp_path / "b", tmp_path / "media", 40_000, silent)
    with pytest.raises(BundleError):
        parts.join(found[:2], tmp_path / "again", silent)
    moved: list[int] = []
    parts.join(found, tmp_path / "again", moved.append)
    assert verify.verify(tmp_path / "again", key)[1] == []
    assert 0 < sum(moved) <= 100_001


def test_a_difference_carries_what_changed_alone(make: Make, key: str, tmp_path: Path) -> None:
    old, new = make(tmp_path / "old", OLD), make(tmp_path / "new", NEW)
    count, size = parts.difference(old, tmp_path / "new", tmp_path / "diff", silent)
    # files/d has the content of files/c, which the old one has.
    assert (count, size) == (1, 20_000)
    assert len(list((tmp_path / "diff/objects").glob("*/*"))) == 1
    joined = parts.join([tmp_path / "old", tmp_path / "diff"], tmp_path / "site", silent)
    assert joined.digest == new.digest
    assert verify.verify(tmp_path / "site", key)[1] == []


def test_a_difference_against_another_bundle_does_not_pass_for_a_whole_one(
    make: Make, tmp_path: Path
) -> None:
    old = make(tmp_path / "old", OLD)
    make(tmp_path / "new", NEW)
    parts.difference(old, tmp_path / "new", tmp_path / "diff", silent)
    make(tmp_path / "third", {"files/x": ("file", b"x")})
    with pytest.raises(BundleError, match="are in none of these, files/a among them"):
        parts.join([tmp_path / "third", tmp_path / "diff"], tmp_path / "site", silent)


def test_what_no_manifest_names_is_unwanted(make: Make, tmp_path: Path) -> None:
    make(tmp_path / "b", OLD)
    shutil.rmtree(tmp_path / "b/signatures")
    make(tmp_path / "b", NEW)
    store = Store(tmp_path / "b")
    (gone,) = store.unwanted([manifest.read(tmp_path / "b")])
    assert gone.read_bytes() == b"b" * 30_000


def names(root: Path) -> dict[str, bytes]:
    """What stands under each name of a bundle."""
    tree = root / "tree"
    return {str(path.relative_to(tree)): path.read_bytes() for path in tree.rglob("*") if path.is_file()}


def contents(files: dict[str, tuple[str, bytes]]) -> dict[str, bytes]:
    return {path: content for path, (_, content) in files.items()}


def test_a_bundle_that_is_joined_has_every_name(make: Make, tmp_path: Path) -> None:
    """The control node takes wheels and models by them."""
    old, _ = make(tmp_path / "old", OLD), make(tmp_path / "new", NEW)
    site = tmp_path / "site"
    parts.join(parts.split(tmp_path / "old", tmp_path / "media", 40_000, silent), site, silent)
    assert names(site) == contents(OLD)
    parts.difference(old, tmp_path / "new", tmp_path / "diff", silent)
    parts.join([site, tmp_path / "diff"], site, silent)
    assert names(site) == contents(NEW)


@pytest.mark.parametrize("links", [True, False], ids=["links", "copies"])
def test_a_name_stands_for_its_content_and_nothing_else(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, links: bool
) -> None:
    """Contents are what is checked: what a medium brought along under a name counts for nothing."""
    made = make(tmp_path / "b", NEW)
    store, tree = Store(tmp_path / "b"), tmp_path / "b/tree"
    if not links:

        def refused(*_: object) -> None:
            raise OSError

        monkeypatch.setattr("os.link", refused)
    store.name(made)
    before = tree.stat().st_ino
    store.name(made)
    assert tree.stat().st_ino == before, "made anew for nothing"
    (tree / "files/a").unlink()
    (tree / "files/a").write_bytes(b"A" * 70_000)
    store.name(made)
    assert names(tmp_path / "b") == contents(NEW)
    (tree / "files/more").write_bytes(b"x")
    (tree / "files/b").unlink()
    store.name(made)
    assert names(tmp_path / "b") == contents(NEW)


def test_a_machine_without_the_toolkit_joins_parts_as_well(make: Make, key: str, tmp_path: Path) -> None:
    make(tmp_path / "b", OLD)
    media = parts.split(tmp_path / "b", tmp_path / "media", 40_000, silent)
    command = [sys.executable, "-I", str(media[0] / toolkit.SETUP), "--join", str(tmp_path / "again")]
    done = subprocess.run([*command, *map(str, media)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert verify.verify(tmp_path / "again", key)[1] == []
    piece = next((media[1] / "pieces").iterdir())
    piece.write_bytes(piece.read_bytes()[:-1] + b"?")
    done = subprocess.run([*command, *map(str, media)], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert piece.name in done.stderr
