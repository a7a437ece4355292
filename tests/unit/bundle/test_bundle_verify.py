"""What is wrong with a bundle is named; nobody else's is believed."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from rackwright.bundle import manifest, sign, toolkit, verify
from rackwright.bundle.manifest import BundleError, Entry, Manifest
from rackwright.bundle.store import Store

Make = Callable[..., Manifest]


def damaged(root: Path, signer: str, *, remembered: bool = False) -> list[verify.Damage]:
    return verify.verify(root, signer, remembered=remembered)[1]


def object_of(root: Path, made: Manifest, path: str) -> Path:
    return Store(root).path(next(entry.sha256 for entry in made.entries if entry.path == path))


def test_a_whole_bundle_is_whole(make: Make, key: str, tmp_path: Path) -> None:
    made = make(tmp_path / "b")
    assert damaged(tmp_path / "b", key) == []
    # One content, two names: it lies there once.
    assert len(made.objects()) == len(made.entries) - 1


def test_it_is_judged_where_gpg_has_no_agent(
    make: Make, key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a control node that was made of a bundle: it has gpg alone."""
    root, program = tmp_path / "b", tmp_path / "bin/gpg"
    make(root)
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {shutil.which("gpg")} --agent-program /nonexistent "$@"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=":")
    assert damaged(root, key) == []


def test_every_single_file_that_is_missing_is_named(make: Make, key: str, tmp_path: Path) -> None:
    root = tmp_path / "b"
    made = make(root)
    for entry in made.entries:
        place = object_of(root, made, entry.path)
        content = place.read_bytes()
        place.unlink()
        assert entry.path in {each.path for each in damaged(root, key)}
        place.write_bytes(content)
    assert damaged(root, key) == []


@pytest.mark.parametrize("remembered", [False, True])
def test_one_byte_that_was_flipped_is_named(make: Make, key: str, tmp_path: Path, remembered: bool) -> None:
    root = tmp_path / "b"
    made = make(root)
    assert damaged(root, key, remembered=remembered) == []
    place = object_of(root, made, "models/tiny/q4/tiny.gguf")
    content = bytearray(place.read_bytes())
    content[1000] ^= 1
    place.write_bytes(content)
    (found,) = damaged(root, key, remembered=remembered)
    assert found.path == "models/tiny/q4/tiny.gguf"
    assert "another content" in found.what


def test_a_content_that_two_names_share_is_told_under_both(make: Make, key: str, tmp_path: Path) -> None:
    root = tmp_path / "b"
    made = make(root)
    object_of(root, made, "files/one").write_bytes(b"the sane")
    assert {each.path for each in damaged(root, key)} == {"files/one", "files/two"}


def test_the_signature_of_an_index_is_looked_at(make: Make, key: str, tmp_path: Path) -> None:
    root = tmp_path / "b"
    make(root)
    signature = verify.signature_of(root, "apt/debian-13/amd64/Release")
    lines = signature.read_text().splitlines()
    lines[3] = lines[3][::-1]
    signature.write_text("\n".join(lines))
    (found,) = damaged(root, key)
    assert found.path.startswith("signatures/")


def test_a_manifest_that_was_changed_is_refused(make: Make, key: str, tmp_path: Path) -> None:
    root = tmp_path / "b"
    make(root)
    path = root / manifest.NAME
    path.write_text(path.read_text().replace('"version": "1"', '"version": "2"', 1))
    with pytest.raises(BundleError, match="does not fit"):
        verify.verify(root, key)


def test_a_bundle_of_another_key_is_refused(
    make: Make, key: str, keys: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(sign.HOME_VARIABLE, str(keys["other"]))
    root = tmp_path / "b"
    make(root)
    other = sign.fingerprint()
    assert damaged(root, other) == []
    with pytest.raises(BundleError, match=f"signed by {other}, the site trusts {key}"):
        verify.verify(root, key)
    # Nor does it help to put our public key beside it.
    (root / manifest.KEY).write_bytes(sign.public_key(keys["ours"]))
    with pytest.raises(BundleError, match="does not fit"):
        verify.verify(root, key)


@pytest.mark.parametrize("signer", ["", "ABCD", "Z" * 40])
def test_a_signer_that_is_no_fingerprint_is_refused(make: Make, tmp_path: Path, signer: str) -> None:
    make(tmp_path / "b")
    with pytest.raises(BundleError, match="40 hexadecimal digits"):
        verify.verify(tmp_path / "b", signer)


def test_the_manifest_says_the_same_whatever_the_order() -> None:
    entries = [Entry(f"files/{n}", f"{n:064x}", n, "file") for n in range(1, 20)]
    one = manifest.make("s", ["debian-13/amd64", "debian-12/amd64"], entries)
    two = manifest.make("s", ["debian-12/amd64", "debian-13/amd64"], reversed(entries))
    assert one.digest == two.digest
    assert one.text() == two.text()


@pytest.mark.parametrize("path", ["/etc/passwd", "../x", "a/../../x", "", "a//b"])
def test_no_path_leads_out_of_the_tree(path: str) -> None:
    with pytest.raises(BundleError, match="no path below"):
        Entry(path, "0" * 64, 0, "file")


def test_one_path_stands_for_one_content() -> None:
    with pytest.raises(BundleError, match="two contents"):
        manifest.make("s", [], [Entry("a", "0" * 64, 0, "file"), Entry("a", "1" * 64, 0, "file")])


def setup_check(root: Path, signer: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-I", str(root / toolkit.SETUP), "--signer", signer, "--check"]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_control_nodes_script_judges_alike(
    make: Make, key: str, keys: dict[str, Path], tmp_path: Path
) -> None:
    """It shares no code with the toolkit: it runs where there is none yet."""
    root = tmp_path / "b"
    made = make(root)
    good = setup_check(root, key)
    assert good.returncode == 0, good.stderr
    assert "the bundle is whole: 5 files" in good.stdout
    other = setup_check(root, sign.fingerprint(keys["other"]))
    assert other.returncode == 1
    assert f"signed by {key}" in other.stderr
    place = object_of(root, made, "apt/pool/debian/n/nginx_1_amd64.deb")
    place.write_bytes(place.read_bytes()[:-1] + b"!")
    bad = setup_check(root, key)
    assert bad.returncode == 1
    assert "apt/pool/debian/n/nginx_1_amd64.deb: another content" in bad.stderr
    assert "nothing was changed" in bad.stderr
    assert not (root / "tree").exists()


def test_the_control_nodes_script_takes_nothing_by_a_name_that_came_along(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Contents are what it checks: a wheel that a medium has under a name of its own is not among them."""
    root = tmp_path / "b"
    made = make(root)
    script = Path(toolkit.__file__).parent / "files" / f"{toolkit.SETUP}.py"
    given = importlib.util.spec_from_file_location("setup_control_node", script)
    assert given is not None
    assert given.loader is not None
    setup = importlib.util.module_from_spec(given)
    given.loader.exec_module(setup)
    monkeypatch.setattr(setup, "HERE", root)
    (root / "tree/files").mkdir(parents=True)
    (root / "tree/files/one").write_bytes(b"the sane")
    (root / "tree/files/three").write_bytes(b"more")
    tree = setup.link_tree([{"path": each.path, "sha256": each.sha256} for each in made.entries])
    assert (tree / "files/one").read_bytes() == b"the same"
    assert not (tree / "files/three").exists()
    assert {each.path for each in made.entries} | {"apt/debian-13/amd64/Release.gpg"} == {
        str(path.relative_to(tree)) for path in tree.rglob("*") if path.is_file()
    }
