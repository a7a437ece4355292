"""How often stores are kept: what may be said, when they are then, and when one is overdue."""

import time
from pathlib import Path
from typing import Any

import pytest

from rackwright.backup.agent import jobs, keep, repository_main, restic
from rackwright.backup.agent.kinds import KINDS
from rackwright.backup.agent.settings import Repository, Store
from rackwright.backup.every import INTERVALS, crons, timed
from rackwright.errors import RackwrightError

KEPT = [
    {"name": "data1/postgresql", "kind": "postgresql"},
    {"name": "data1/mariadb", "kind": "mariadb"},
    {"name": "data2/mariadb", "kind": "mariadb"},
    {"name": "data1/redis", "kind": "redis"},
]


def store(name: str, kind: str, minutes: int = 0) -> Store:
    return Store(name, "data1", "10.0.30.11", kind, kind, every_minutes=minutes)


def test_a_stores_own_wins_over_its_kind_and_others_stay_with_the_night() -> None:
    found = timed(KEPT, {"mariadb": "1h", "data2/mariadb": "15m"})
    assert [entry["every_minutes"] for entry in found] == [0, 60, 15, 0]
    assert crons(found) == [("*/15 * * * *", 15), ("0 */1 * * *", 60)]
    assert crons(timed(KEPT, {})) == []


@pytest.mark.parametrize("interval", sorted(INTERVALS))
def test_an_interval_goes_into_an_hour_or_a_day(interval: str) -> None:
    minutes = INTERVALS[interval]
    assert (60 % minutes == 0) if minutes < 60 else (24 * 60 % minutes == 0)
    ((when, told),) = crons(timed(KEPT[1:2], {"mariadb": interval}))
    assert (told, len(when.split())) == (minutes, 5)


@pytest.mark.parametrize(
    ("every", "told"),
    [
        ({"mariadb": "7m"}, "mariadb: 7m: an interval goes into an hour or a day without a rest; write"),
        ({"mariadb": "90m"}, "write one of 10m, 15m, 20m, 30m, 1h, 2h, 3h, 4h, 6h, 8h, 12h"),
        ({"mariadb": 60}, "mariadb: 60: an interval"),
        ({"mariadbs": "1h"}, "mariadbs: it is no store of this site and no kind of one; write one of data1/"),
        ({"data3/mariadb": "1h"}, "data3/mariadb: it is no store of this site"),
        ({"postgresql": "1h"}, "postgresql: the log of PostgreSQL leaves each minute"),
        ({"data1/postgresql": "1h"}, "data1/postgresql: the log of PostgreSQL leaves each minute"),
        ({"mariadb": ["1h"]}, "mariadb: ['1h']: an interval"),
    ],
)
def test_what_cannot_be_is_refused_with_what_can(every: dict[str, Any], told: str) -> None:
    with pytest.raises(RackwrightError, match="backup_repository_every has ") as caught:
        timed(KEPT, every)
    assert told in str(caught.value)


@pytest.mark.parametrize(
    ("minutes", "hours"), [(0, 26), (12 * 60, 14), (120, 4), (60, 2.5), (30, 1.5), (10, 50 / 60)]
)
def test_one_is_overdue_when_one_was_missed_and_did_not_come_late(minutes: int, hours: float) -> None:
    assert store("data1/mariadb", "mariadb", minutes).due_seconds == hours * 3600


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The stores that are backed up, by name."""
    made: list[str] = []

    def backup(_: Repository, stores: list[Store], kind: str) -> list[dict[str, Any]]:
        assert kind == "auto"
        made.extend(one.name for one in stores)
        return []

    monkeypatch.setattr(keep, "backup", backup)
    monkeypatch.setattr(jobs, "known", list)
    monkeypatch.setattr(restic, "prune", lambda _: made.append("prune"))
    return made


STORES = (
    store("data1/postgresql", "postgresql"),
    store("data1/mariadb", "mariadb", 60),
    store("data1/mongodb", "mongodb", 15),
    store("data1/redis", "redis"),
)


def test_each_run_takes_the_stores_of_its_interval(kept: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    site = Repository(Path("/nowhere"), 30, STORES)
    sunday = time.struct_time((2026, 3, 15, 2, 0, 0, 6, 74, 0))
    monday = time.struct_time((2026, 3, 16, 2, 0, 0, 0, 75, 0))
    monkeypatch.setattr(repository_main.time, "localtime", lambda: monday)
    for every, names in ((0, ["data1/redis"]), (60, ["data1/mariadb"]), (15, ["data1/mongodb"])):
        kept.clear()
        repository_main._restic(site, every, time.time())
        assert kept == names
    kept.clear()
    monkeypatch.setattr(repository_main.time, "localtime", lambda: sunday)
    repository_main._restic(site, 60, time.time())
    repository_main._restic(site, 0, time.time())
    assert kept == ["data1/mariadb", "data1/redis", "prune"]


def test_runs_that_waited_for_one_another_do_not_all_do_the_same(
    kept: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    site, asked = Repository(Path("/nowhere"), 30, STORES), 1000.0

    # Begun after this one was asked for: what it would find is kept. Begun before, or failed: it is not.
    for ok, seconds, names in (
        (True, 5.0, []),
        (True, 15.0, ["data1/mariadb"]),
        (False, 5.0, ["data1/mariadb"]),
    ):
        kept.clear()
        job = jobs.Job("backup data1/mariadb", ok, 1010.0, 0.0, 9000, seconds)
        monkeypatch.setattr(jobs, "known", lambda job=job: [job])
        repository_main._restic(site, 60, asked)
        assert kept == names


def test_every_kind_that_travels_may_be_kept_more_often() -> None:
    for kind in (name for name, one in KINDS.items() if one.stream):
        (found,) = timed([{"name": "x/y", "kind": kind}], {kind: "12h"})
        assert found["every_minutes"] == 720
