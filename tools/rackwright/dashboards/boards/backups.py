"""Backups, proofs and points over all stores: what could be brought back, and how old it would be."""

from __future__ import annotations

from rackwright.dashboards.model import Board, Choice, Query, Row
from rackwright.dashboards.panels import gauge, query, stat, table, time

_GOOD = gauge("rackwright_job_last_good_timestamp_seconds")
_JOB = "{{host}} {{action}} {{subject}}"


def _job(expr: str, legend: str = _JOB, rare: str = "") -> Query:
    return query(expr, legend, "backup", rare)


BACKUPS = Board(
    "rackwright-backups",
    "Backups and recovery points",
    "What could be brought back, how old it would be, and whether it has been proven.",
    (
        Row(
            "Now",
            (
                stat(
                    "Jobs that failed",
                    _job(f"sum(1 - {gauge('rackwright_job_ok')})", ""),
                    warn=1.0,
                    bad=1.0,
                ),
                stat(
                    "Overdue jobs",
                    _job(
                        f"sum((time() - {_GOOD}) > bool rackwright_job_due_seconds)",
                        "",
                    ),
                    warn=1.0,
                    bad=1.0,
                ),
                stat("Kept", _job(f"sum({gauge('rackwright_job_size_bytes')})", ""), unit="bytes"),
                stat(
                    "Last proof",
                    _job(
                        'min(time() - rackwright_job_last_good_timestamp_seconds{action="verify"})',
                        "",
                    ),
                    about="A backup that was read back whole.",
                    unit="s",
                    width=6,
                ),
                stat(
                    "Last point over all stores",
                    _job('min(time() - rackwright_job_last_good_timestamp_seconds{action="point"})', ""),
                    unit="s",
                    width=6,
                ),
            ),
        ),
        Row(
            "What would be lost",
            (
                table(
                    "Age of the last good run",
                    _job(f"sort_desc(time() - {_GOOD})", ""),
                    {"host": "Host", "action": "Job", "subject": "Of", "": "Age"},
                    unit="s",
                    height=12,
                ),
                table(
                    "Last run",
                    _job(f"sort({gauge('rackwright_job_ok')})", ""),
                    {"host": "Host", "action": "Job", "subject": "Of", "": "Result"},
                    names=((0, "failed"), (1, "good")),
                    height=12,
                ),
            ),
        ),
        Row(
            "Over time",
            (
                time("Age", _job(f"time() - {_GOOD}"), unit="s"),
                time("Time of a run", _job(gauge("rackwright_job_duration_seconds")), unit="s"),
                time("Size of a backup", _job(gauge("rackwright_job_size_bytes")), unit="bytes"),
            ),
        ),
    ),
    (Choice("host", "rackwright_job_ok", "Host"),),
    since="7d",
)
