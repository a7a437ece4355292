"""What is sent is held apart; what was given up is remembered; whatever goes wrong is one line."""

import io
import os
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from rackwright.backup.agent import archive, files, given_up
from rackwright.backup.agent.sender import HELD, Sender
from rackwright.backup.agent.shell import Failed, in_words

SEGMENT = "00000002000000010000000"


def store(*paths: Path) -> dict[str, object]:
    return {"paths": [str(path) for path in paths], "stop": "none"}


def test_what_is_replaced_after_the_moment_is_sent_as_it_was(tmp_path: Path) -> None:
    objects, lone = tmp_path / "objects", tmp_path / "lone"
    (objects / "deep").mkdir(parents=True)
    for path in (objects / "a", objects / "deep/b", lone):
        path.write_text("before")
    (objects / "link").symlink_to("a")

    def held() -> None:
        (objects / "new").write_text("after")
        (objects / "a").unlink()
        (objects / "deep/b.new").write_text("after")
        (objects / "deep/b.new").replace(objects / "deep/b")
        lone.unlink()

    out = io.BytesIO()
    files.send(store(objects, lone), out, held)
    into = tmp_path / "into"
    into.mkdir()
    manifest = archive.receive(io.BytesIO(out.getvalue()), into)
    prefix = str(tmp_path).lstrip("/")
    assert set(manifest["files"]) == {f"{prefix}/{name}" for name in ("objects/a", "objects/deep/b", "lone")}
    assert {(into / name).read_text() for name in manifest["files"]} == {"before"}
    assert (into / prefix / "objects/link").readlink() == Path("a")
    assert not list(tmp_path.rglob(f"{files.ASIDE}*"))


def test_a_directory_that_goes_while_it_is_held_fails_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An object store removes a directory with its last object, at any moment."""
    objects = tmp_path / "objects"
    for name in ("gone", "kept"):
        (objects / name).mkdir(parents=True)
        (objects / name / "a").write_text(name)
    scandir = os.scandir

    def listed(place: Path | str | int) -> Any:  # noqa: ANN401 - as it is
        if not isinstance(place, int) and Path(place) == objects:
            entries = list(scandir(place))
            (objects / "gone/a").unlink()
            (objects / "gone").rmdir()
            return nullcontext(iter(entries))
        return scandir(place)

    monkeypatch.setattr(os, "scandir", listed)
    out = io.BytesIO()
    files.send(store(objects), out, lambda: None)
    into = tmp_path / "into"
    into.mkdir()
    manifest = archive.receive(io.BytesIO(out.getvalue()), into)
    assert [Path(name).parent.name for name in manifest["files"]] == ["kept"]


def test_a_restored_directory_is_the_one_that_others_have_mounted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "STAGING", tmp_path / "staging")
    objects, lone = tmp_path / "objects", tmp_path / "lone"
    (objects / "deep").mkdir(parents=True)
    (objects / "deep/a").write_text("kept")
    lone.write_text("kept")
    out = io.BytesIO()
    files.send(store(objects, lone), out, lambda: None)
    (objects / "deep/a").write_text("changed")
    (objects / "later").write_text("new")
    (tmp_path / "objects.before-restore").mkdir()
    before = objects.stat().st_ino
    told = files.receive(store(objects, lone), io.BytesIO(out.getvalue()))
    assert told == {"kind": "files", "files": 2, "changed_since": 0}
    assert objects.stat().st_ino == before
    assert {path.name for path in objects.iterdir()} == {"deep"}
    assert (objects / "deep/a").read_text() == lone.read_text() == "kept"
    assert (tmp_path / "objects.before-restore/later").read_text() == "new"
    assert (tmp_path / "objects.before-restore/deep/a").read_text() == "changed"


def test_a_sender_says_when_it_is_held_and_is_read_afterwards() -> None:
    script = f"import sys; print('{HELD}', file=sys.stderr, flush=True); sys.stdout.write('x' * 300000)"
    sender = Sender("data1/files", [sys.executable, "-c", script])
    assert sender.await_held(20)
    assert len(sender.stream.read()) == 300000
    sender.finish()


def test_a_sender_that_fails_lets_nobody_wait_and_says_why() -> None:
    script = 'import sys; print(\'{"failed": "no room", "hint": "make some"}\', file=sys.stderr); sys.exit(3)'
    sender = Sender("data1/files", [sys.executable, "-c", script])
    assert sender.await_held(20)
    with pytest.raises(Failed, match="data1/files: no room") as told:
        sender.finish()
    assert told.value.hint == "make some"


def test_log_that_was_given_up_stays_known_until_a_backup_begins_after_it(tmp_path: Path) -> None:
    kept, log = tmp_path / "kept", tmp_path / "data1-archive-push-async.log"

    def seen() -> tuple[str, str] | None:
        return given_up.seen("postgresql", "data1", tmp_path, kept)

    assert seen() is None
    line = "2026-11-26 14:58:02.658 P00   WARN: dropped WAL file '{}' because archive queue exceeded 64MB\n"
    log.write_text("".join(line.format(f"{SEGMENT}{number}") for number in (3, 4, 5)))
    assert seen() == (f"{SEGMENT}3", f"{SEGMENT}5")
    told = log.read_text()
    log.write_text("")
    assert seen() == (f"{SEGMENT}3", f"{SEGMENT}5"), "the log was rotated"
    given_up.forget("postgresql", f"{SEGMENT}4", kept)
    assert seen() == (f"{SEGMENT}5", f"{SEGMENT}5")
    # A restore has made another timeline meanwhile.
    given_up.forget("postgresql", "00000003" + SEGMENT[8:] + "8", kept)
    assert seen() is None
    log.write_text(told)
    assert seen() is None, "what the log tells is from before the backup"


@pytest.mark.parametrize(
    ("raised", "told"),
    [
        (FileNotFoundError(2, "No such file or directory", "/etc/x"), "/etc/x: No such file or directory"),
        (KeyError("data_directory"), "KeyError: 'data_directory'"),
    ],
)
def test_whatever_goes_wrong_is_one_line(raised: Exception, told: str) -> None:
    with pytest.raises(Failed) as failed, in_words("rackwright-test"):
        raise raised
    assert failed.value.message == told
    assert "journalctl -t rackwright-test" in failed.value.hint
