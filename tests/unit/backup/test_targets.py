"""What a cluster would be restored from, and what stands in the way."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from backup_samples import BACKUP, STORE

from rackwright.backup.agent import lineage, plan, wal
from rackwright.backup.agent.settings import Repository
from rackwright.backup.agent.shell import Failed

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
