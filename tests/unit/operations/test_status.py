"""`rackwright health`: what a run of playbooks/status.yml tells, and how it looks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from rich.console import Console

from rackwright.cli.health import changed
from rackwright.operations.events import Recap
from rackwright.operations.runner import Run
from rackwright.operations.status import Alert, Gpu, Status, status_of
from rackwright.operations.status_view import as_view

WELL = {"service": "redis", "ok": True, "detail": "PONG", "latency_ms": 1.2, "certificate_days": 80}
BAD = {"service": "nginx", "ok": False, "detail": "refused", "latency_ms": None, "certificate_days": None}
VERSION = {"service": "redis", "version": "5:8.0.2-3", "pinned": "5:8.0.2-4", "as_pinned": False}


def vector(value: float, **labels: str) -> dict[str, Any]:
    return {"metric": labels, "value": [1, str(value)]}


def run_of(**answers: dict[str, Any]) -> Run:
    recap = Recap()
    for task, host, res in (
        ("Ask every service how it is", "data1", {"checks": [WELL, BAD]}),
        ("Ask for versions", "data1", {"versions": [VERSION]}),
        *(("Ask Prometheus", "ops1", answer) for answer in answers.values()),
    ):
        recap.feed({"event": "runner_on_ok", "event_data": {"host": host, "task": task, "res": res}})
    return Run("playbooks/status.yml", "successful", 0, 1.0, recap, Path("output.log"))


def shown(status: Status) -> str:
    console = Console(width=140)
    with console.capture() as capture:
        console.print(as_view(status))
    return capture.get()


def test_versions_alerts_and_gpus() -> None:
    answers = {
        "alerts": {"result": [vector(1, alertname="DiskFull", severity="critical", host="data1")]},
        "gpu_celsius": {"result": [vector(61, host="app1", gpu="0"), vector(40, host="app1", gpu="1")]},
        "gpu_load": {"result": [vector(93, host="app1", gpu="0")]},
        "gpu_memory": {"result": []},
    }
    found = status_of(run_of(prometheus={"answers": answers}))
    nginx, redis = found.services
    assert (redis.version, redis.pinned, redis.as_pinned) == ("5:8.0.2-3", "5:8.0.2-4", False)
    assert (nginx.version, nginx.as_pinned) == ("", None)
    assert found.alerts == (Alert("DiskFull", "critical", "data1", ""),)
    assert found.gpus == (Gpu("app1", "0", 61, 93, None), Gpu("app1", "1", 40, None, None))
    assert not found.ok
    text = shown(found)
    assert "pinned to 5:8.0.2-4" in text
    assert "1 of 2 services are well" in text
    assert "critical: DiskFull data1" in text
    assert "GPU 0 of app1: 61 °C, 93 % load\n" in text
    assert json.loads(json.dumps(found.as_dict()))["services"][1]["version"] == "5:8.0.2-3"


def test_what_nobody_measures_is_said_and_not_made_up() -> None:
    found = status_of(run_of())
    assert found.alerts is None
    assert found.gpus == ()
    assert "alerts: not known, the site has no Prometheus" in shown(found)
    lost = run_of()
    event = {"event": "runner_on_unreachable", "event_data": {"host": "ops1", "res": {"msg": "no route"}}}
    lost.recap.feed(event)
    assert status_of(lost).unmeasured == "hosts do not answer, and nobody asked Prometheus"
    away = status_of(run_of(prometheus={"answers": {"alerts": {"error": "connection refused"}}}))
    assert "not known, Prometheus does not answer: connection refused" in shown(away)
    quiet = status_of(run_of(prometheus={"answers": {"alerts": {"result": []}}}))
    assert "alerts: none fires" in shown(quiet)


def test_what_has_changed_since_the_last_look() -> None:
    first = status_of(run_of(prometheus={"answers": {"alerts": {"result": []}}}))
    well = Status(tuple(entry for entry in first.services if entry.ok), ())
    alert = Alert("Down", "critical", "data1", "nginx")
    ill = Status(first.services, (alert,))
    assert changed(None, first) == []
    assert changed(first, first) == []
    assert [text[9:] for text in changed(well, ill)] == [
        "data1 nginx is not well: refused",
        "alert Down data1 fires",
    ]
    assert [text[9:] for text in changed(ill, well)] == [
        "data1 nginx is well again",
        "alert Down data1 is over",
    ]
