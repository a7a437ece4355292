"""What the report asks, and what it makes of the answers: no part invents what it was not told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from rackwright.audit.model import Audit, Item, both
from rackwright.audit.report import as_dict
from rackwright.dashboards.model import Have
from rackwright.dashboards.promql import problem
from rackwright.pki.authority import Authority
from rackwright.rehearsal.model import Phase, Report
from rackwright.rehearsal.report import write
from rackwright.report.collect import audit_result, backups_of, has_gpu, last_rehearsal
from rackwright.report.model import Absent, AuditResult, Rehearsal, Series
from rackwright.report.questions import alerts, capacity, questions, trends

ALL = Have(frozenset({"app", "postgresql"}), gpu=True)
PASSPHRASE = "a passphrase of the site's authority"


def vector(value: float | str, **labels: str) -> dict[str, Any]:
    return {"metric": labels, "value": [1, str(value)]}


def matrix(*values: str, **labels: str) -> dict[str, Any]:
    return {"metric": labels, "values": [[60 * number, value] for number, value in enumerate(values)]}


@pytest.mark.parametrize("days", [1, 7, 90])
def test_every_question_is_promql(days: int) -> None:
    asked = questions(days, ALL)
    assert [problem(query["expr"]) for query in asked] == [None] * len(asked)
    assert len({query["name"] for query in asked}) == len(asked)
    assert {query["hours"] for query in asked} == {0, 24 * days}


def test_nothing_is_asked_that_the_site_cannot_have() -> None:
    names = {query["name"] for query in questions(7, Have(frozenset()))}
    assert {name for name in names if name.startswith("trend_")} == {
        "trend_cpu",
        "trend_memory",
        "trend_disk",
    }
    assert {trend.key for trend in trends({}, Have(frozenset(), gpu=True))} >= {"gpu"}


def test_trends() -> None:
    answers = {
        "trend_cpu": {"result": [matrix("1", "NaN", "3", host="b"), matrix("2", host="a")]},
        "trend_memory": {"result": []},
        "trend_disk": {"error": "parse error"},
    }
    cpu, memory, disk = trends(answers, Have(frozenset()))
    assert cpu.series == (Series("a", ((0.0, 2.0),)), Series("b", ((0.0, 1.0), (120.0, 3.0))))
    assert memory.series == Absent("no_data")
    assert disk.series == Absent("refused", "parse error")
    away = Absent("no_answer", "away")
    assert {trend.series for trend in trends(away, ALL)} == {away}


def test_alerts_those_that_fire_first() -> None:
    one = {"alertname": "Disk", "severity": "critical", "host": "a", "service": ""}
    two = {"alertname": "Slow", "severity": "warning", "host": "b", "service": "app"}
    answers = {
        "alerts_fired": {"result": [vector(400, **two), vector(4, **one)]},
        "alerts_now": {"result": [vector(1, **one)]},
    }
    found = alerts(answers)
    assert not isinstance(found, Absent)
    assert [(alert.name, alert.firing, alert.seconds) for alert in found] == [
        ("Disk", True, 60),
        ("Slow", False, 6000),
    ]
    assert alerts({"alerts_fired": {"result": []}}) == ()
    assert alerts({"alerts_fired": {"error": "no"}}) == Absent("refused", "no")


def test_capacity_of_each_host_by_its_fullest_disk() -> None:
    answers = {
        "cpu_now": {"result": [vector(12.5, host="a"), vector(1, host="stranger")]},
        "disk_now": {
            "result": [vector(40, host="a", mountpoint="/"), vector(93, host="a", mountpoint="/data")]
        },
        "disk_known": {"result": [vector(2, host="a")]},
        "disk_free": {"result": [vector(7e9, host="a", mountpoint="/data")]},
        "disk_days": {
            "result": [vector(300, host="a", mountpoint="/"), vector("+Inf", host="a", mountpoint="/data")]
        },
    }
    found = capacity(answers, ["a", "b"])
    assert not isinstance(found, Absent)
    first, second = found
    assert (first.cpu, first.memory, first.disk, first.mountpoint) == (12.5, None, 93, "/data")
    assert (first.disk_free_bytes, first.days_until_full) == (7e9, 300)
    assert (first.foreseen, second.foreseen) == (True, False)
    assert (second.host, second.cpu, second.disk, second.days_until_full) == ("b", None, None, None)


def test_backups_also_of_a_store_that_has_none() -> None:
    told = {
        "backups": [
            {"store": "a/redis", "id": "1", "kind": "snapshot", "time": 10.0, "size": 5},
            {"store": "a/redis", "id": "2", "kind": "snapshot", "time": 20.0, "size": 6},
        ],
        "points": [{"name": "old", "time": 1}, {"name": "new", "time": 2}],
        "jobs": [
            {"name": "backup a/redis", "ok": True, "detail": ""},
            {"name": "verify a/redis", "ok": False, "detail": "damaged"},
            {"name": "backup b/chroma", "ok": True, "detail": "not run yet"},
            {"name": "point site", "ok": False, "detail": "x"},
        ],
    }
    found = backups_of(told)
    redis, chroma = found.stores
    assert (redis.newest, redis.size, redis.count, redis.problem) == (20.0, 6, 2, "verify: damaged")
    assert (chroma.store, chroma.newest, chroma.count) == ("b/chroma", None, 0)
    assert (found.point, found.point_time) == ("new", 2)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    made = Authority(tmp_path / "pki")
    made.ensure(PASSPHRASE)
    return made


def a_rehearsal(at: str, site: str = "site") -> Report:
    return Report(
        site=site, scenario="database", host="data1", machine="spare1", failed_at=at,
        phases=(Phase("restore", 0, 60),), rpo_seconds=2.0, last_write=at,
    )  # fmt: skip


def test_the_newest_rehearsal_of_this_site(tmp_path: Path, authority: Authority) -> None:
    kept = tmp_path / "rehearsals"
    assert last_rehearsal(kept, "site", authority) == Absent("no_rehearsal")
    write(a_rehearsal("2026-01-02T00:00:00+00:00"), kept / "a", authority, PASSPHRASE)
    write(a_rehearsal("2026-01-01T00:00:00+00:00"), kept / "b", authority, PASSPHRASE)
    write(a_rehearsal("2026-01-03T00:00:00+00:00", "other"), kept / "c", authority, PASSPHRASE)
    found = last_rehearsal(kept, "site", authority)
    assert isinstance(found, Rehearsal)
    assert (found.at, found.rto, found.met, found.genuine) == ("2026-01-02T00:00:00+00:00", 60, True, True)
    path = kept / "a" / "report.json"
    path.write_text(
        path.read_text(encoding="utf-8").replace('"rto_seconds": 60', '"rto_seconds": 6'), encoding="utf-8"
    )
    forged = last_rehearsal(kept, "site", authority)
    assert isinstance(forged, Rehearsal)
    assert not forged.genuine


def test_the_last_audit() -> None:
    audit = Audit(
        "site",
        ("a",),
        (Item("tls", "a", "fail", both("old", "旧")), Item("zones", "", "pass", both("y", "是"))),
    )
    found = audit_result({"made_at": "2026-01-01T00:00:00+00:00", **json.loads(json.dumps(as_dict(audit)))})
    assert isinstance(found, AuditResult)
    assert (found.counts["fail"], found.counts["pass"]) == (1, 1)
    ((entry),) = found.failed
    assert entry["en"].endswith(": a: old")
    assert audit_result(None) == Absent("no_audit")


def test_a_gpu_is_known_by_the_scan() -> None:
    assert has_gpu({"hardware": {"gpus": [{"model": "x"}]}})
    assert not has_gpu({"hardware": {"gpus": []}})
    assert not has_gpu({})
