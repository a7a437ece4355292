"""Events of a run become counts, changes and failures."""

from __future__ import annotations

from typing import Any

import pytest

from rackwright.operations.events import Recap, task_result


def event(kind: str, host: str = "data1", **data: object) -> dict[str, Any]:
    return {"event": kind, "event_data": {"host": host, "task": "Write", "role": "redis", **data}}


@pytest.mark.parametrize(
    ("given", "status"),
    [
        (event("runner_on_ok", res={"changed": False}), "ok"),
        (event("runner_on_ok", res={"changed": True}), "changed"),
        (event("runner_on_failed", res={"msg": "no"}), "failed"),
        (event("runner_on_failed", res={"msg": "no"}, ignore_errors=True), "ok"),
        (event("runner_on_unreachable", res={"msg": "away"}), "unreachable"),
        (event("runner_on_skipped", res={}), "skipped"),
    ],
)
def test_status(given: dict[str, Any], status: str) -> None:
    result = task_result(given)
    assert result is not None
    assert result.status == status


def test_other_events_are_no_results() -> None:
    assert task_result({"event": "playbook_on_stats", "event_data": {}}) is None
    assert task_result({"event": "verbose"}) is None


def test_changed_items_are_named() -> None:
    items = [
        {"dest": "/etc/a", "changed": True},
        {"dest": "/etc/b", "changed": False},
        {"name": "redis.service", "changed": True},
    ]
    result = task_result(event("runner_on_ok", res={"changed": True, "items": items}))
    assert result is not None
    assert result.changed_items == ["/etc/a", "redis.service"]


@pytest.mark.parametrize(
    ("res", "message"),
    [
        ({"msg": " broken \n", "stderr": "other"}, "broken"),
        ({"stderr": "trace"}, "trace"),
        ({}, ""),
    ],
)
def test_message(res: dict[str, Any], message: str) -> None:
    result = task_result(event("runner_on_failed", res=res))
    assert result is not None
    assert result.message == message


def test_recap_counts_by_host_and_keeps_changes_and_failures() -> None:
    recap = Recap()
    recap.feed({"event": "playbook_on_play_start", "event_data": {"play": "Redis"}})
    recap.feed({"event": "playbook_on_task_start", "event_data": {"task": "Write"}})
    recap.feed(event("runner_on_ok", res={"changed": True}, duration=2.0))
    recap.feed(event("runner_on_ok", host="data2", res={}, duration=3.0))
    recap.feed(event("runner_on_failed", host="data2", res={"msg": "no"}, duration=0.5))
    assert (recap.play, recap.task, recap.tasks_started) == ("Redis", "Write", 1)
    assert {host: dict(counts) for host, counts in recap.counts.items()} == {
        "data1": {"changed": 1},
        "data2": {"ok": 1, "failed": 1},
    }
    assert [result.host for result in recap.changed] == ["data1"]
    assert [result.message for result in recap.failed] == ["no"]


def test_a_task_costs_what_its_slowest_host_took() -> None:
    recap = Recap()
    recap.feed(event("runner_on_ok", res={}, duration=2.0))
    recap.feed(event("runner_on_ok", host="data2", res={}, duration=3.0))
    recap.feed(event("runner_on_ok", res={}, duration=0.1, task="Read", role=""))
    assert recap.slowest(5) == [("redis : Write", 3.0), ("Read", 0.1)]
    assert recap.slowest(1) == [("redis : Write", 3.0)]
