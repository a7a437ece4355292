"""The parts of the backup program that need no server."""

import io
import json
import subprocess
import tarfile
import time
from dataclasses import replace
from pathlib import Path

import pytest

from rackwright.backup.agent import archive, contents, gate, jobs, lineage, plan, postgres, proof, wal
from rackwright.backup.agent.settings import Repository, Store
from rackwright.backup.agent.shell import Failed

STORE = Store("data1/postgresql", "data1", "10.0.30.11", "postgresql", "postgresql", 26, "17")
BACKUP = wal.Backup(
    "20260101-010000F",
    "full",
    1000,
    2000,
    5_000_000,
    1_000_000,
    ("000000010000000000000003", "000000010000000000000004"),
    (),
    "17",
)


def packed(tmp_path: Path) -> bytes:
    source = tmp_path / "source"
    (source / "deep").mkdir(parents=True)
    (source / "deep/a").write_text("one")
    (source / "b").write_bytes(bytes(range(256)) * 40)
    (source / "link").symlink_to("b")
    out = io.BytesIO()
    archive.send(out, [("srv/data", source)], {"kind": "files"})
    return out.getvalue()


def test_a_stream_comes_back_as_it_was(tmp_path: Path) -> None:
    into = tmp_path / "into"
    into.mkdir()
    manifest = archive.receive(io.BytesIO(packed(tmp_path)), into)
    assert set(manifest["files"]) == {"srv/data/b", "srv/data/deep/a"}
    assert (into / "srv/data/deep/a").read_text() == "one"
    assert (into / "srv/data/link").readlink() == Path("b")


@pytest.mark.parametrize("place", [700, 2100, 3000, 5000])
def test_one_byte_that_is_another_is_found(tmp_path: Path, place: int) -> None:
    stream = bytearray(packed(tmp_path))
    stream[place] ^= 1
    into = tmp_path / "into"
    into.mkdir()
    try:
        archive.receive(io.BytesIO(bytes(stream)), into)
    except Failed:
        return
    # Padding between members may be anything: then every file is what it was.
    assert (into / "srv/data/b").read_bytes() == bytes(range(256)) * 40


def test_a_stream_that_is_cut_short_is_refused(tmp_path: Path) -> None:
    stream = packed(tmp_path)
    into = tmp_path / "into"
    into.mkdir()
    with pytest.raises(Failed, match=r"not whole|cannot be unpacked"):
        archive.receive(io.BytesIO(stream[: len(stream) // 2]), into)


def test_a_stream_stays_where_it_is_unpacked(tmp_path: Path) -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w|") as stream:
        stream.addfile(tarfile.TarInfo("../outside"))
    with pytest.raises(Failed, match="outside of it"):
        archive.receive(io.BytesIO(out.getvalue()), tmp_path)


ASKED = ["pgbackrest", "--exec-id=1-a", "--log-level-console=off", "--remote-type=repo", "--repo=1"]


@pytest.mark.parametrize(
    ("words", "allowed"),
    [
        ([*ASKED, "--stanza=data1", "archive-push:remote"], True),
        ([*ASKED, "--stanza=data1", "archive-get:remote"], True),
        ([*ASKED, "--stanza=data2", "archive-push:remote"], False),
        ([*ASKED, "archive-push:remote"], False),
        ([*ASKED, "--stanza=data1", "--stanza=data2", "archive-push:remote"], False),
        ([*ASKED, "--stanza=data1", "--repo1-path=/etc", "archive-push:remote"], False),
        ([*ASKED, "--stanza=data1", "--repo1-cipher-pass=x", "archive-push:remote"], False),
        ([*ASKED, "--stanza=data1", "--config=/tmp/x", "archive-push:remote"], False),
        ([*ASKED, "--stanza=data1", "--cmd=/tmp/x", "archive-push:remote"], False),
        ([*ASKED, "--stanza=data1", "stanza-delete:remote"], False),
        ([*ASKED, "--stanza=data1", "expire"], False),
        ([*ASKED, "--stanza=data1", "repo-get", "archive-push:remote"], False),
        (["bash", "--stanza=data1", "archive-push:remote"], False),
        ([], False),
    ],
)
def test_a_host_may_bring_its_own_log_and_have_its_own_backups(words: list[str], allowed: bool) -> None:
    assert gate.permitted(words, gate.OF_THE_REPOSITORY, "data1") is allowed


def test_a_guest_brings_nothing() -> None:
    push = [*ASKED, "--stanza=data1", "archive-push:remote"]
    assert not gate.permitted(push, gate.OF_A_GUEST, "data1")
    assert gate.permitted([*push[:-1], "archive-get:remote"], gate.OF_A_GUEST, "data1")


def test_a_host_reads_anothers_backups_only_while_it_is_a_guest(tmp_path: Path) -> None:
    assert gate.guest_of("data2", tmp_path) == ""
    (tmp_path / "data2").write_text("data1\n")
    assert gate.guest_of("data2", tmp_path) == "data1"
    assert gate.guest_of("data3", tmp_path) == ""


def test_differences_are_told_in_words() -> None:
    wanted: contents.Contents = {"app": {"public.a": [2, "7"], "public.b": [1, "3"], "public.c": [0, None]}}
    assert contents.differences(wanted, wanted) == []
    found: contents.Contents = {"app": {"public.a": [3, "7"], "public.b": [1, "4"]}}
    assert contents.differences(wanted, found) == [
        "app: public.a has 3 rows, not 2",
        "app: rows of public.b have another content",
        "app: the table public.c is missing",
    ]
    assert contents.differences(wanted, {}) == ["the database app is missing"]


def test_the_newest_backup_without_damage_is_offered() -> None:
    diff = replace(
        BACKUP,
        label="20260101-010000F_20260102-010000D",
        kind="diff",
        needs=("20260101-010000F",),
        wal=("000000010000000000000007", "000000010000000000000008"),
    )
    full = replace(
        BACKUP, label="20260103-010000F", wal=("00000001000000000000000A", "00000001000000000000000B")
    )
    held = [BACKUP, diff, full]
    assert f"is {diff.label}:" in proof._offer(STORE, held, ["20260103-010000F/bundle/1"])
    assert f"is {full.label}:" in proof._offer(STORE, held, [f"{diff.label}/bundle/1"])
    segment = "17-1/0000000100000000/00000001000000000000000B-" + "0" * 40 + ".zst"
    assert f"is {diff.label}:" in proof._offer(STORE, held, [segment])
    both = ["20260101-010000F/bundle/1", "20260103-010000F/bundle/1"]
    assert "no backup is without damage" in proof._offer(STORE, held, both)


@pytest.mark.parametrize(
    ("facts", "told"),
    [
        ({"version": "16", "free": 1 << 40, "held": 0}, "is of PostgreSQL 17, the host has 16"),
        ({"version": "17", "free": 1_000_000, "held": 1_000_000}, "the host has room for 1 MB"),
    ],
)
def test_a_host_that_a_backup_does_not_fit_is_refused(facts: dict[str, object], told: str) -> None:
    with pytest.raises(Failed, match=told):
        plan._fits(STORE, {"version": "17", "size": BACKUP.size}, facts)


# The second timeline left the first in its segment 5, the third left that in segment 8.
HISTORY = {1: "", 2: "1\t0/5000138\tbefore x\n", 3: "1\t0/5000138\tx\n\n2\t0/8000000\ty\n"}


def log_of(*places: int, began: dict[int, float] | None = None) -> wal.Log:
    return wal.Log(frozenset(lineage.name(1, place) for place in places), began or {})


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    monkeypatch.setattr(wal, "backups", lambda _store: [BACKUP])
    monkeypatch.setattr(wal, "log", lambda _store, _archive: log_of(3, 4, 5, 6))
    monkeypatch.setattr(wal, "line_to", lambda _store, _archive, line: lineage.spans(line, HISTORY[line]))
    return Repository(tmp_path, 30, (STORE,))


def test_targets_of_a_cluster(repository: Repository) -> None:
    (latest,) = plan.plan(repository, repository.stores, "latest", {})
    assert (latest["type"], latest["set"]) == ("latest", BACKUP.label)
    assert (latest["log_end"], latest["stopped"]) == ("000000010000000000000006", BACKUP.stopped)
    (moment,) = plan.plan(repository, repository.stores, "time:1970-01-01T01:00:00+00:00", {})
    assert (moment["type"], moment["target"]) == ("time", "1970-01-01 01:00:00.000000+00")
    point = {
        "name": "p",
        "time": 3000,
        "pause_seconds": 1,
        "stores": {
            STORE.name: {
                "point": "p",
                "time": "1970-01-01T00:50:00+00:00",
                "wal": "000000010000000000000006",
                "timeline": 1,
                "contents": {},
            }
        },
    }
    repository.points.mkdir()
    (repository.points / "p.json").write_text(json.dumps(point))
    (named,) = plan.plan(repository, repository.stores, "point:p", {})
    assert (named["type"], named["target"], named["timeline"]) == ("name", "p", "1")


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


@pytest.mark.parametrize(
    ("to", "told"),
    [
        ("time:yesterday", "is no time"),
        ("time:1970-01-01T00:00:10+00:00", "no backup of data1/postgresql is as old"),
        ("point:nowhere", "there is no point nowhere"),
        ("backup:nothing", "has no backup nothing"),
        ("elsewhere", "is no target"),
    ],
)
def test_what_cannot_be_restored_is_refused(repository: Repository, to: str, told: str) -> None:
    with pytest.raises(Failed, match=told):
        plan.plan(repository, repository.stores, to, {})


def test_a_missing_segment_is_refused(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wal, "log", lambda _store, _archive: log_of(3, 4, 6))
    with pytest.raises(Failed, match="has a hole: segment 000000010000000000000005 ") as caught:
        plan.plan(repository, repository.stores, "latest", {})
    assert caught.value.hint == f"these do not need it: --backup {BACKUP.label}"


def test_a_time_is_reached_on_the_timeline_that_was_the_clusters_then(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Restored at 3000 to a moment before 2500: what was there at 2800 is on the timeline that was left."""
    later = replace(BACKUP, label="left-behind", stopped=2500, wal=(lineage.name(1, 6), lineage.name(1, 6)))
    monkeypatch.setattr(wal, "backups", lambda _store: [BACKUP, later])
    held = {lineage.name(1, place) for place in (3, 4, 5, 6, 7)} | {
        lineage.name(2, place) for place in (5, 6)
    }
    monkeypatch.setattr(wal, "log", lambda _store, _archive: wal.Log(frozenset(held), {2: 3000.0}))
    (then,) = plan.plan(repository, repository.stores, "time:1970-01-01T00:46:40+00:00", {})
    assert (then["set"], then["timeline"]) == ("left-behind", "1")
    (latest,) = plan.plan(repository, repository.stores, "latest", {})
    assert latest["set"] == BACKUP.label, "the other backup is not on the newest line"


def test_jobs_keep_their_last_good_run(tmp_path: Path) -> None:
    metrics = tmp_path / "metrics/backup.prom"
    good = jobs.Job("backup data1/redis", ok=True, finished=100, last_good=100, due_seconds=60, size_bytes=7)
    jobs.record(good, tmp_path, metrics)
    bad = jobs.Job("backup data1/redis", ok=False, finished=200, last_good=0, due_seconds=60, detail="away")
    jobs.record(bad, tmp_path, metrics)
    (found,) = jobs.known(tmp_path)
    assert (found.ok, found.last_good, found.detail) == (False, 100.0, "away")
    text = metrics.read_text()
    assert 'rackwright_job_ok{action="backup",subject="data1/redis"} 0' in text
    assert 'rackwright_job_last_good_timestamp_seconds{action="backup",subject="data1/redis"} 100' in text


def test_a_job_that_never_ran_has_its_whole_time(tmp_path: Path) -> None:
    jobs.expect("verify x", 60, tmp_path)
    (found,) = jobs.known(tmp_path)
    assert found.ok
    assert time.time() - found.last_good < 10
    jobs.expect("verify x", 120, tmp_path)
    assert jobs.known(tmp_path)[0].due_seconds == 120


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
