"""A report of a made-up site: for tests and for looking at the page."""

from __future__ import annotations

import math

from rackwright.operations.health import ServiceHealth
from rackwright.report.model import (
    Absent,
    AuditResult,
    Backup,
    Backups,
    FiredAlert,
    HostCapacity,
    Rehearsal,
    Series,
    SiteReport,
    Trend,
)

NOW = 1_790_000_000
MADE_AT = "2026-09-21T14:13:20+00:00"
HOUR = 3600


def curve(name: str, middle: float, swing: float, missing: range = range(0)) -> Series:
    """Return a week of hours that go up and down each day, without those that are missing."""
    points = tuple(
        (float(NOW - (168 - hour) * HOUR), middle + swing * math.sin(hour / 24 * math.tau) + hour % 5 / 5)
        for hour in range(169)
        if hour not in missing
    )
    return Series(name, points)


def _health() -> tuple[ServiceHealth, ...]:
    names = {
        "app1": ("app", "llama_cpp", "node_exporter"),
        "data1": ("postgresql", "redis"),
        "edge1": ("nginx",),
    }
    found = [
        ServiceHealth(host, name, ok=True, detail="200 OK", latency_ms=12.4, certificate_days=71)
        for host, services in names.items()
        for name in services
    ]
    told = "point site is 26 h overdue"
    bad = ServiceHealth("ops1", "backup", ok=False, detail=told, latency_ms=None, certificate_days=None)
    return (*found, bad)


def sample(**changed: object) -> SiteReport:
    """Return a report in which every part is there, but for what is changed."""
    parts: dict[str, object] = {
        "site": "example",
        "domain": "ai.example.internal",
        "made_at": MADE_AT,
        "days": 7,
        "topology": '<svg xmlns="http://www.w3.org/2000/svg" class="rw" viewBox="0 0 10 10"></svg>',
        "health": _health(),
        "alerts": (
            FiredAlert("DiskFull", "critical", "data1", "node_exporter", 5400, firing=True),
            FiredAlert("SlowAnswers", "warning", "app1", "app", 900, firing=False),
        ),
        "trends": (
            Trend("cpu", "percent", (curve("app1", 40, 30), curve("data1", 20, 10, range(60, 90))), 100, 80),
            Trend("answer", "s", (curve("", 1.6, 0.8),), bound=5),
            Trend("data", "bytes", tuple(curve(f"db{n}", 1e9 * n + 2e9, 1e8) for n in range(10))),
            Trend("gpu", "percent", Absent("no_data")),
        ),
        "capacity": (
            HostCapacity("app1", 34.2, 91, 55, 61, 40, "/", 3.1e11, None, foreseen=True),
            HostCapacity("data1", 12, 40, 78, 88, 93, "/var/lib", 4.2e10, 11.4, foreseen=True),
            HostCapacity("edge1"),
        ),
        "backups": Backups(
            (
                Backup("data1/postgresql", NOW - 9 * HOUR, 4.1e9, 14),
                Backup("data1/redis", NOW - 33 * HOUR, 1.2e7, 9, "verify: a file is damaged"),
            ),
            "weekly-20260920",
            NOW - 30 * HOUR,
        ),
        "rehearsal": Rehearsal(
            "database", "2026-09-18T01:00:00+00:00", met=True, rto=312.5, rto_target=1800, rpo=2.1,
            rpo_target=300, genuine=True,
        ),
        "audit": AuditResult(
            "2026-09-20T03:00:00+00:00",
            {"pass": 21, "warn": 2, "fail": 1, "none": 1},
            ({"en": "TLS: edge1: TLS 1.1 is offered", "zh": "TLS：edge1：提供 TLS 1.1"},),
        ),
    }  # fmt: skip
    return SiteReport(**{**parts, **changed})  # type: ignore[arg-type]
