"""Alerts of a site, as the Alertmanager of a host that watches has them; silences; a test message."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from rackwright.errors import RackwrightError
from rackwright.operations.runner import run_playbook

PLAYBOOK = "playbooks/alerts.yml"
_NOT_GOOD = 300
_ORDER = {"critical": 0, "warning": 1, "info": 2, "none": 3}


@dataclass(frozen=True)
class Alert:
    """One alert that is told, or would be if nobody had silenced it.

    Attributes:
        name: Its name.
        severity: critical, warning, info or none.
        state: active, or suppressed by a silence or by a worse alert.
        since: When it began.
        labels: All its labels.
        annotations: summary, impact, command, runbook_url, …
        silences: Ids of the silences that hold it back.
    """

    name: str
    severity: str
    state: str
    since: datetime
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    silences: tuple[str, ...]


@dataclass(frozen=True)
class Silence:
    """One silence: what it holds back, until when, who made it and why."""

    id: str
    matchers: tuple[str, ...]
    until: datetime
    author: str
    comment: str


def alerts(inventories: Sequence[Path]) -> list[Alert]:
    """Return the site's alerts, the worst first, the oldest first among equals."""
    answer = ask(inventories, [{"path": "/api/v2/alerts"}])[0]
    found = [
        Alert(
            name=entry["labels"]["alertname"],
            severity=entry["labels"].get("severity", ""),
            state=entry["status"]["state"],
            since=_time(entry["startsAt"]),
            labels=entry["labels"],
            annotations=entry["annotations"],
            silences=tuple(entry["status"]["silencedBy"]),
        )
        for entry in answer
    ]
    return sorted(found, key=lambda alert: (_ORDER.get(alert.severity, len(_ORDER)), alert.since))


def silences(inventories: Sequence[Path]) -> list[Silence]:
    """Return the silences that hold, those that end first before others."""
    answer = ask(inventories, [{"path": "/api/v2/silences"}])[0]
    found = [
        Silence(
            id=entry["id"],
            matchers=tuple(_shown(matcher) for matcher in entry["matchers"]),
            until=_time(entry["endsAt"]),
            author=entry["createdBy"],
            comment=entry["comment"],
        )
        for entry in answer
        if entry["status"]["state"] != "expired"
    ]
    return sorted(found, key=lambda silence: silence.until)


def silence(
    inventories: Sequence[Path], labels: Mapping[str, str], hours: float, author: str, comment: str
) -> str:
    """Hold back alerts with these labels; return the silence's id."""
    now = datetime.now(UTC)
    body = {
        "matchers": [
            {"name": name, "value": value, "isRegex": False, "isEqual": True}
            for name, value in labels.items()
        ],
        "startsAt": now.isoformat(),
        "endsAt": (now + timedelta(hours=hours)).isoformat(),
        "createdBy": author,
        "comment": comment,
    }
    answer = ask(inventories, [{"path": "/api/v2/silences", "method": "POST", "body": body}])[0]
    return str(answer["silenceID"])


def end_silence(inventories: Sequence[Path], identity: str) -> None:
    """Let alerts through again that a silence holds back."""
    ask(inventories, [{"path": f"/api/v2/silence/{identity}", "method": "DELETE"}])


def send_test(inventories: Sequence[Path], severity: str, minutes: int = 2) -> None:
    """Send an alert that ends by itself, as Prometheus would."""
    now = datetime.now(UTC)
    entry = {
        "labels": {"alertname": "Test", "severity": severity, "service": "prometheus", "host": "none"},
        "annotations": {
            "summary": "A test message, sent by hand.",
            "summary_zh": "测试消息（手工发送）",
            "impact": "None.",
            "command": "rackwright alerts list",
            "runbook_url": "",
        },
        "startsAt": now.isoformat(),
        "endsAt": (now + timedelta(minutes=minutes)).isoformat(),
    }
    ask(inventories, [{"path": "/api/v2/alerts", "method": "POST", "body": [entry]}])


def ask(
    inventories: Sequence[Path], requests: Sequence[Mapping[str, Any]], service: str = "alertmanager"
) -> list[Any]:
    """Ask Alertmanager, or Prometheus, of the first host that watches; return the bodies of its answers.

    Raises:
        RackwrightError: Nobody watches this site, or the answer is no.
    """
    extra = json.dumps({"asked_requests": list(requests), "asked_service": service})
    run = run_playbook(PLAYBOOK, inventories, arguments=["-e", extra])
    for result in run.recap.results:
        if answers := result.result.get("answers"):
            for wanted, answer in zip(requests, answers, strict=True):
                if answer["status"] >= _NOT_GOOD:
                    raise RackwrightError(
                        f"{service} answers {answer['status']} to {wanted['path']}: {answer['body']}"
                    )
            return [answer["body"] for answer in answers]
    told = "; ".join(f"{result.host}: {result.message}" for result in run.recap.failed)
    raise RackwrightError(
        told or "no host of the group `monitoring` answered",
        hint="put a host of the zone ops into `monitoring`, then: rackwright apply; "
        f"the run's output is in {run.log}",
    )


def _shown(matcher: Mapping[str, Any]) -> str:
    sign = ("=" if matcher["isEqual"] else "!") + ("~" if matcher["isRegex"] else "")
    return f"{matcher['name']}{sign or '='}{matcher['value']}"


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)
