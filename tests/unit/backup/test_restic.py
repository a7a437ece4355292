"""The repository of files, with restic itself."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest

from rackwright.backup.agent import keep, proof, restic
from rackwright.backup.agent.sender import HELD
from rackwright.backup.agent.settings import Repository, Store
from rackwright.backup.agent.shell import Failed

LOCK = re.compile(r"[0-9a-f]{64}")


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    """An empty one."""
    password = tmp_path / "password"
    password.write_text("of this test\n")
    monkeypatch.setattr(restic, "PASSWORD", password)
    made = Repository(path=tmp_path / "kept", retention_days=30)
    assert restic.make(made)
    return made


@contextmanager
def at_work(repository: Repository) -> Iterator[subprocess.Popen[bytes]]:
    """A backup that waits for the rest of its stream, and holds its lock meanwhile."""
    words = [*restic._base(repository), "backup", "--stdin", "--stdin-filename", "data1_app.tar"]
    locks = repository.path / "restic/locks"
    with subprocess.Popen(
        words, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as one:
        ends = time.monotonic() + 30
        # Written beneath another name, and then put in its place.
        while not any(LOCK.fullmatch(path.name) for path in locks.iterdir()):
            assert one.poll() is None
            assert time.monotonic() < ends, "no lock"
            time.sleep(0.05)
        try:
            yield one
        finally:
            one.kill()


def test_a_backup_that_was_cut_off_stands_in_nobodys_way(repository: Repository) -> None:
    with at_work(repository) as one:
        one.send_signal(signal.SIGKILL)
    with pytest.raises(Failed, match="lock"):
        restic.restic(repository, "check")
    restic.alone(repository, "check", "--read-data")
    restic.forget(repository)
    restic.prune(repository)


class Sending(Store):
    """One whose host says the time at which what it sends is held, and sends it."""

    def ask(self, *_: str) -> list[str]:
        script = (
            "import sys, time; time.sleep(1.5); held = str(time.time());"
            f" print({HELD!r}, file=sys.stderr, flush=True); print(held, end='')"
        )
        return [sys.executable, "-c", script]


def test_a_snapshot_is_not_older_than_what_is_in_it(repository: Repository) -> None:
    """Else a restore to a moment in between would bring what was written after it."""
    one = Sending("data1/x", "data1", "10.0.30.11", "x", "files")
    keep._stream(repository, one)
    found = restic.newest(repository, one)
    words = ["dump", found.id, f"/{restic.filename(one.name)}"]
    assert found.time >= float(restic.restic(repository, *words).stdout)
    # In whole seconds, as it is told: whoever names that time gets it.
    assert restic.newest(repository, one, int(found.time)) == found


def test_of_a_store_that_is_kept_each_hour_fewer_stay_the_older_they_are(repository: Repository) -> None:
    often = Store("data1/mariadb", "data1", "10.0.30.11", "mariadb", "mariadb", every_minutes=60)
    now = datetime(2026, 3, 20, 12).astimezone()
    made = [now - timedelta(hours=hours) for hours in (*range(0, 80, 6), 24 * 6, 24 * 40)]
    for number, moment in enumerate(made):
        words = ["backup", "--quiet", "--stdin", "--stdin-filename", restic.filename(often.name)]
        words += ["--host", "data1", "--tag", f"store={often.name}", "--time", f"{moment:%Y-%m-%d %H:%M:%S}"]
        words += ["--tag", "point=weekly"] if number == 12 else []
        subprocess.run([*restic._base(repository), *words], input=b"x", check=True, capture_output=True)
    restic.forget(replace(repository, stores=(often,)))
    held = {entry.time for entry in restic.snapshots(repository)}
    stay = [
        hours
        for hours, moment in zip((*range(0, 80, 6), 144, 960), made, strict=True)
        if moment.timestamp() in held
    ]
    assert stay == [0, 6, 12, 18, 24, 30, 36, 42, 48, 66, 72, 144]
    # Nothing is thinned out of a store of every night.
    restic.forget(replace(repository, stores=()))
    assert {entry.time for entry in restic.snapshots(repository)} == held


def test_one_that_is_at_work_is_left_alone(repository: Repository) -> None:
    with at_work(repository), pytest.raises(Failed, match="lock"):
        restic.alone(repository, "check")


def test_who_is_at_work_is_no_damage(repository: Repository) -> None:
    with at_work(repository), pytest.raises(Failed, match="in use"):
        proof._damage(repository)
    assert proof._damage(repository) == ""


def test_packs_are_read_once_for_all_stores(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    read = []

    def damaged(of: Repository) -> str:
        read.append(of)
        return "damaged in the repository of files: pack 1234"

    monkeypatch.setattr(proof, "_damage", damaged)
    monkeypatch.setattr(proof, "recorded", lambda *_: nullcontext(SimpleNamespace()))
    stores = [Store(f"data1/{name}", "data1", "10.0.30.11", name, "files") for name in ("one", "two")]
    told = proof.verify(repository, tuple(stores))
    assert [(each["store"], each["ok"]) for each in told] == [("data1/one", False), ("data1/two", False)]
    assert len(read) == 1
