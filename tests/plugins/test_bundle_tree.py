"""A bundle on the host that serves it: what is missing, what came, the names."""

from __future__ import annotations

import hashlib
import json
import os
import time
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.rackwright.bundle_tree import Bundle, TreeError

CONTENTS = {"apt/a": b"a" * 1000, "files/b": b"b" * 10, "models/m/b": b"b" * 10}


def listed(contents: dict[str, bytes]) -> list[dict[str, Any]]:
    return [
        {"path": path, "sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}
        for path, content in contents.items()
    ]


@pytest.fixture(autouse=True)
def _owner(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.chown", lambda *_: None)


def send(bundle: Bundle, contents: dict[str, bytes], cut: int | None = None) -> None:
    bundle.incoming.mkdir(parents=True, exist_ok=True)
    for content in contents.values():
        scratch = bundle.incoming / hashlib.sha256(content).hexdigest()
        scratch.write_bytes(content[:cut])
        os.utime(scratch, (0, 0))


def test_a_bundle_comes_and_has_its_names(tmp_path: Path) -> None:
    bundle, files = Bundle(tmp_path), listed(CONTENTS)
    missing = bundle.missing(files)
    # One content of two names is missing once.
    assert sorted(missing.values()) == [10, 1000]
    send(bundle, CONTENTS)
    assert bundle.arrived(missing) == {}
    bundle.link(files, {"apt/Release.gpg": "signature"}, "digest")
    assert bundle.current() == "digest"
    assert {path: (bundle.tree / path).read_bytes() for path in CONTENTS} == CONTENTS
    assert (bundle.tree / "apt/Release.gpg").read_text() == "signature"
    assert bundle.missing(files) == {}
    assert not bundle.incoming.exists()


def test_a_copy_that_was_cut_says_where_it_was(tmp_path: Path) -> None:
    bundle, files = Bundle(tmp_path), listed({"apt/a": CONTENTS["apt/a"]})
    missing = bundle.missing(files)
    send(bundle, {"apt/a": CONTENTS["apt/a"]}, cut=400)
    assert list(bundle.arrived(missing).values()) == [400]
    with pytest.raises(TreeError, match="apt/a"):
        bundle.link(files, {}, "digest")


def test_what_was_damaged_on_the_way_comes_again(tmp_path: Path) -> None:
    bundle, files = Bundle(tmp_path), listed({"apt/a": CONTENTS["apt/a"]})
    missing = bundle.missing(files)
    (sha256,) = missing
    bundle.incoming.mkdir()
    (bundle.incoming / sha256).write_bytes(b"!" * 1000)
    assert bundle.arrived(missing) == {sha256: 0}
    assert not bundle.path(sha256).exists()


def test_another_version_costs_what_changed_and_the_old_goes(tmp_path: Path) -> None:
    bundle = Bundle(tmp_path)
    send(bundle, CONTENTS)
    bundle.arrived(bundle.missing(listed(CONTENTS)))
    bundle.link(listed(CONTENTS), {}, "one")
    new = {**CONTENTS, "apt/a": b"A" * 500}
    assert list(bundle.missing(listed(new)).values()) == [500]
    send(bundle, new)
    bundle.arrived(bundle.missing(listed(new)))
    bundle.link(listed(new), {}, "two")
    assert (bundle.tree / "apt/a").read_bytes() == b"A" * 500
    # A web server tells by the time whether a name has changed.
    assert (bundle.tree / "apt/a").stat().st_mtime > time.time() - 60
    assert bundle.prune(listed(new)) == 1
    assert bundle.missing(listed(new)) == {}


def test_a_medium_on_the_host_spares_the_connection(tmp_path: Path) -> None:
    medium, bundle = Bundle(tmp_path / "medium"), Bundle(tmp_path / "host")
    send(medium, CONTENTS)
    medium.arrived(medium.missing(listed(CONTENTS)))
    damaged = medium.path(hashlib.sha256(CONTENTS["apt/a"]).hexdigest())
    damaged.write_bytes(b"?" * 1000)
    missing = bundle.missing(listed(CONTENTS))
    bundle.take_from(medium.root, missing)
    # What is damaged there is left for the connection.
    assert list(missing.values()) == [1000]


def test_a_tree_without_its_stamp_is_not_believed(tmp_path: Path) -> None:
    bundle = Bundle(tmp_path)
    assert bundle.current() == ""
    bundle.stamp.write_text(json.dumps({"digest": "one"}))
    assert bundle.current() == ""


def test_the_web_server_may_read_it_whatever_the_umask_is(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        bundle = Bundle(tmp_path / "srv")
        send(bundle, CONTENTS)
        bundle.arrived(bundle.missing(listed(CONTENTS)))
        bundle.link(listed(CONTENTS), {"apt/Release.gpg": "signature"}, "digest")
    finally:
        os.umask(before)
    for path in bundle.tree.rglob("*"):
        assert path.stat().st_mode & 0o004, path
