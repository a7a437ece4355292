"""What the report asks Prometheus, and what it makes of the answers."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from rackwright.dashboards.model import GPU, Have
from rackwright.report.model import Absent, FiredAlert, HostCapacity, Series, Trend, Unit

_DISK = 'node_filesystem_avail_bytes{fstype!~"tmpfs|overlay|ramfs|squashfs"}'
_APP = frozenset({"app"})
_SIZE = "node_filesystem_size_bytes"
_BUSY = '100 * (1 - avg by (host) (rate(node_cpu_seconds_total{mode="idle"}[1h])))'
_MEMORY = "100 * (1 - node_memory_MemAvailable_bytes / node_memory_MemTotal_bytes)"
# The watchdog, which always fires, has the severity `none`.
_FIRING = 'ALERTS{alertstate="firing", severity!="none"}'
_BY_ALERT = "by (alertname, severity, host, service)"
# How often Prometheus looks whether an alert fires.
_EVALUATION_SECONDS = 15
_POINTS = 168

Answers = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Asked:
    """A trend: its name in the words, its query, the label that tells its curves apart, and what it needs."""

    key: str
    expr: str
    label: str
    unit: Unit
    needs: frozenset[str] = frozenset()
    most: float | None = None
    bound: float | None = None


def _p95(histogram: str, where: str = "") -> str:
    found = f"sum by (le) (rate(rackwright_app_{histogram}_bucket{where}[1h]))"
    return f"histogram_quantile(0.95, {found})"


def _hourly(counter: str, by: str) -> str:
    return f"sum by ({by}) (rate(rackwright_app_{counter}[1h]))"


TRENDS: tuple[Asked, ...] = (
    Asked("cpu", _BUSY, "host", "percent", most=100, bound=80),
    Asked("memory", _MEMORY, "host", "percent", most=100, bound=85),
    Asked("disk", f"100 * (1 - min by (host) ({_DISK} / {_SIZE}))", "host", "percent", most=100, bound=90),
    Asked("load", _hourly("requests_total", "status"), "status", "per_second", _APP),
    Asked("answer", _p95("request_seconds", '{route="/api/chat"}'), "", "s", _APP, bound=5),
    Asked("first_token", _p95("first_token_seconds"), "", "s", _APP),
    Asked("tokens", _hourly("tokens_total", "kind"), "kind", "per_second", _APP),
    Asked("sessions", "max(rackwright_app_active_sessions)", "", "number", _APP),
    Asked("retrieval", _p95("retrieval_seconds"), "", "s", _APP, bound=1),
    Asked("gpu", "avg by (host, gpu) (DCGM_FI_DEV_GPU_UTIL)", "gpu", "percent", frozenset({GPU}), most=100),
    Asked("data", "sum by (datname) (pg_database_size_bytes)", "datname", "bytes", frozenset({"postgresql"})),
)


def questions(days: int, have: Have) -> list[dict[str, Any]]:
    """Return all queries, as playbooks/measured.yml takes them."""
    hours = 24 * days
    span = f"[{days}d:1h]"
    # A line through a few hours foresees nothing.
    known = f"count_over_time({_DISK}[{days}d:1h]) >= {min(24, 12 * days)}"
    line = f"deriv({_DISK}[{days}d])"
    now = {
        "cpu_now": '100 * (1 - avg by (host) (rate(node_cpu_seconds_total{mode="idle"}[5m])))',
        "cpu_most": f"max_over_time(({_BUSY}){span})",
        "memory_now": _MEMORY,
        "memory_most": f"max_over_time(({_MEMORY}){span})",
        "disk_now": f"100 * (1 - {_DISK} / {_SIZE})",
        "disk_free": _DISK,
        "disk_days": f"{_DISK} / -({line} < 0) / 86400 and {known}",
        "disk_known": f"count by (host) ({known})",
        "alerts_fired": f"sum {_BY_ALERT} (count_over_time({_FIRING}[{days}d]))",
        "alerts_now": f"max {_BY_ALERT} ({_FIRING})",
    }
    asked = [{"name": name, "expr": expr, "hours": 0} for name, expr in now.items()]
    return asked + [
        {"name": f"trend_{trend.key}", "expr": trend.expr, "hours": hours, "points": _POINTS}
        for trend in _fitting(have)
    ]


def _fitting(have: Have) -> Iterator[Asked]:
    return (trend for trend in TRENDS if have.meets(trend.needs))


def trends(answers: Answers | Absent, have: Have) -> tuple[Trend, ...]:
    """Return every trend that the site could have."""
    return tuple(
        Trend(asked.key, asked.unit, _series(answers, asked), asked.most, asked.bound)
        for asked in _fitting(have)
    )


def _series(answers: Answers | Absent, asked: Asked) -> tuple[Series, ...] | Absent:
    if isinstance(answers, Absent):
        return answers
    answer = answers.get(f"trend_{asked.key}", {})
    if "error" in answer:
        return Absent("refused", str(answer["error"]))
    found = []
    for entry in answer.get("result", ()):
        points = tuple(
            (float(at), value) for at, text in entry["values"] if math.isfinite(value := float(text))
        )
        if points:
            labels = entry["metric"]
            parts = (labels.get("host", "") if asked.label == "gpu" else "", labels.get(asked.label, ""))
            found.append(Series(" ".join(filter(None, parts)), points))
    return tuple(sorted(found, key=lambda series: series.name)) or Absent("no_data")


def alerts(answers: Answers | Absent) -> tuple[FiredAlert, ...] | Absent:
    """Return what fired, what still does first, then the longest."""
    if isinstance(answers, Absent):
        return answers
    fired = answers.get("alerts_fired", {})
    if "error" in fired:
        return Absent("refused", str(fired["error"]))
    firing = {_identity(entry) for entry in answers.get("alerts_now", {}).get("result", ())}
    found = [
        FiredAlert(
            *identity, seconds=float(entry["value"][1]) * _EVALUATION_SECONDS, firing=identity in firing
        )
        for entry in fired.get("result", ())
        if (identity := _identity(entry))
    ]
    return tuple(sorted(found, key=lambda alert: (not alert.firing, -alert.seconds, alert.name, alert.host)))


def _identity(entry: Mapping[str, Any]) -> tuple[str, str, str, str]:
    labels = entry["metric"]
    name, severity = labels.get("alertname", ""), labels.get("severity", "")
    return name, severity, labels.get("host", ""), labels.get("service", "")


def capacity(answers: Answers | Absent, hosts: Sequence[str]) -> tuple[HostCapacity, ...] | Absent:
    """Return what each host has left; a host of which nothing was measured says so by its Nones."""
    if isinstance(answers, Absent):
        return answers
    found = {host: HostCapacity(host) for host in hosts}
    for name, key in (
        ("cpu_now", "cpu"),
        ("cpu_most", "cpu_most"),
        ("memory_now", "memory"),
        ("memory_most", "memory_most"),
    ):
        for host, value in _by_host(answers, name):
            if host in found:
                given: dict[str, Any] = {key: value}
                found[host] = replace(found[host], **given)
    for host in hosts:
        found[host] = _with_disk(found[host], answers)
    return tuple(found.values())


def _with_disk(host: HostCapacity, answers: Answers) -> HostCapacity:
    used = _disks(answers, "disk_now", host.host)
    if not used:
        return host
    fullest = max(used, key=lambda at: used[at])
    days = _disks(answers, "disk_days", host.host).values()
    return replace(
        host,
        disk=used[fullest],
        mountpoint=fullest,
        disk_free_bytes=_disks(answers, "disk_free", host.host).get(fullest),
        days_until_full=min(days, default=None),
        foreseen=host.host in dict(_by_host(answers, "disk_known")),
    )


def _by_host(answers: Answers, name: str) -> Iterator[tuple[str, float]]:
    for entry in answers.get(name, {}).get("result", ()):
        value = float(entry["value"][1])
        if math.isfinite(value):
            yield entry["metric"].get("host", ""), value


def _disks(answers: Answers, name: str, host: str) -> dict[str, float]:
    return {
        entry["metric"].get("mountpoint", ""): float(entry["value"][1])
        for entry in answers.get(name, {}).get("result", ())
        if entry["metric"].get("host") == host and math.isfinite(float(entry["value"][1]))
    }
