"""What hosts answer becomes health and smoke tables."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from rackwright.errors import RackwrightError
from rackwright.operations import smoke as smoke_module
from rackwright.operations.events import Recap
from rackwright.operations.health import entries
from rackwright.operations.runner import Run
from rackwright.operations.status import Status
from rackwright.operations.status_view import as_table


def run_of(*events: dict[str, Any]) -> Run:
    recap = Recap()
    for event in events:
        recap.feed(event)
    return Run("playbooks/x.yml", "failed", 2, 1.0, recap, Path("output.log"))


def answered(host: str, **res: object) -> dict[str, Any]:
    kind = "runner_on_failed" if "msg" in res else "runner_on_ok"
    return {"event": kind, "event_data": {"host": host, "task": "Ask", "res": res}}


WELL = {"service": "redis", "ok": True, "detail": "answers PING", "latency_ms": 2.4, "certificate_days": 20}
ILL = {"service": "nginx", "ok": False, "detail": "refused", "latency_ms": None, "certificate_days": None}


def test_answers_are_sorted_and_complete() -> None:
    found = entries(run_of(answered("data1", checks=[WELL]), answered("app1", msg="no", checks=[ILL])))
    assert [(entry.host, entry.service, entry.ok) for entry in found] == [
        ("app1", "nginx", False),
        ("data1", "redis", True),
    ]
    assert Status(tuple(found), None).as_dict()["ok"] is False
    assert Status(tuple(found[1:]), None).as_dict()["ok"] is True


def test_a_host_that_is_away_is_an_answer() -> None:
    event = {"event": "runner_on_unreachable", "event_data": {"host": "ops1", "res": {"msg": "no route"}}}
    (entry,) = entries(run_of(event))
    assert (entry.host, entry.service, entry.ok, entry.detail) == ("ops1", "host", False, "no route")


def test_a_run_that_asked_nobody_is_an_error() -> None:
    with pytest.raises(RackwrightError, match="no host was asked: bad input"):
        entries(run_of(answered("localhost", msg="bad input")))


def test_a_certificate_near_its_end_stands_out() -> None:
    console = Console(width=120, color_system="truecolor", force_terminal=True)
    with console.capture() as capture:
        console.print(as_table(tuple(entries(run_of(answered("data1", checks=[WELL]))))))
    assert "\x1b[1;33m20 d" in capture.get()


def test_smoke_steps_and_failures_without_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    step = {
        "name": "redirect",
        "what": "HTTP sends to HTTPS.",
        "ok": True,
        "detail": "308",
        "latency_ms": 1.0,
    }
    run = run_of(answered("outside1", steps=[step]), answered("data1", msg="no psql"))
    monkeypatch.setattr(smoke_module, "run_playbook", lambda *_: run)
    steps, _run = smoke_module.smoke([Path("inventory")])
    assert [(found.host, found.ok) for found in steps] == [("outside1", True), ("data1", False)]
    assert steps[1].detail == "no psql"


def test_no_step_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smoke_module, "run_playbook", lambda *_: run_of())
    with pytest.raises(RackwrightError, match="no step was taken"):
        smoke_module.smoke([Path("inventory")])
