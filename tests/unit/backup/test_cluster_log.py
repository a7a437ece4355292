"""The log of a cluster: where it ends in a rehearsal, and who brings it just now."""

import subprocess
from pathlib import Path

import pytest
from backup_samples import STORE

from rackwright.backup.agent import postgres, wal
from rackwright.backup.agent.shell import Failed


@pytest.mark.parametrize(
    ("wanted", "brought"),
    [
        ("000000010000000000000012", True),
        ("0000000100000000000000FF", True),
        ("000000010000000100000000", True),
        ("000000020000000100000001", False),
        ("000000010000000200000000", False),
        ("00000002.history", True),
        ("odd", False),
    ],
)
def test_a_frozen_archive_ends_where_it_was(tmp_path: Path, wanted: str, brought: bool) -> None:
    (tmp_path / "pgbackrest").write_text('#!/bin/sh\necho "$@"\n')
    (tmp_path / "pgbackrest").chmod(0o755)
    command = postgres.frozen("main", Path("/srv/data"), "000000010000000100000000")
    done = subprocess.run(
        ["/bin/sh", "-c", command.replace("%f", wanted).replace("%p", "pg_wal/RECOVERYXLOG")],
        env={"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    told = f"--stanza=main --pg1-path=/srv/data archive-get {wanted} pg_wal/RECOVERYXLOG\n"
    assert done.stdout == (told if brought else "")
    assert (done.returncode == 0) is brought


def test_a_cluster_that_brings_its_log_just_now_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    locked = "WARN: unable to check pg1: [LockAcquireError] unable to acquire lock on file '/tmp/x.lock'"
    answers = [(56, locked), (56, locked), (0, "made")]
    slept: list[float] = []

    def run(*_: object, **__: object) -> subprocess.CompletedProcess[str]:
        status, said = answers.pop(0)
        return subprocess.CompletedProcess([], status, said, "")

    monkeypatch.setattr(wal, "run", run)
    monkeypatch.setattr(wal.time, "sleep", slept.append)
    assert wal.pgbackrest(STORE, "stanza-upgrade") == "made"
    assert len(slept) == 2
    # Another fault is told at once, and one that stays after its time.
    answers = [(56, "ERROR: something else")]
    with pytest.raises(Failed, match="something else"):
        wal.pgbackrest(STORE, "stanza-upgrade")
    monkeypatch.setattr(wal, "LOCK_SECONDS", -1)
    answers = [(56, locked)]
    with pytest.raises(Failed, match="unable to acquire lock"):
        wal.pgbackrest(STORE, "stanza-upgrade")
