"""Prometheus: what a site measures in a day, and for how many days that fits into its disk and its memory."""

from __future__ import annotations

from collections.abc import Mapping

from rackwright.sizing.asked import Asked, Sized, as_they_are, asked_for
from rackwright.sizing.explained import Explained
from rackwright.sizing.refusal import Change, RefusedError

# Series of one target, counted in the lab and rounded up: a larger machine has more disks, links and units.
SERIES: Mapping[str, int] = {
    "node_exporter": 2000,
    "process_exporter": 800,
    "postgres_exporter": 600,
    "mysqld_exporter": 1200,
    "redis_exporter": 400,
    "elasticsearch_exporter": 150,
    "app": 900,
    "prometheus": 900,
    "alertmanager": 400,
    "vllm": 600,
}
OTHER_SERIES = 100
SCRAPE_SECONDS = 15
BYTES_PER_SAMPLE = 2
# The newest blocks, written twice while they are joined.
OVERHEAD = 1.3
BYTES_OF_A_SERIES = 8 * 1024
DEFAULT_DAYS = 15
BASE_MB = 96
_MB, _GB = 1024**2, 10**9
_DAY = 86400
_SOURCE = "Prometheus documentation, storage; docs/sizing.md, Prometheus"


def size_prometheus(asked: Asked) -> Sized:
    """Derive Prometheus' numbers.

    Raises:
        RefusedError: What is to be kept does not fit into its disk, or what is measured not into its memory.
    """
    hosts = sum(SERIES.get(name, OTHER_SERIES) * count for name, count in asked.hosts.items())
    counted = {name: count for name, count in asked.hosts.items() if count}
    rule = "sum of the hosts of each service x the series of its target"
    series = Explained(hosts, "", rule, counted, _SOURCE)
    memory = BASE_MB + hosts * BYTES_OF_A_SERIES // _MB
    if memory > asked.memory_mb:
        raise RefusedError(
            f"Prometheus has {asked.memory_mb} MB, and the {hosts} series of this site need {memory}",
            [
                Change(
                    "services.prometheus.memory.minimum_mb",
                    memory,
                    f"give it {memory} MB (services.prometheus.memory)",
                )
            ],
        )
    day_mb = max(1, int(hosts * _DAY / SCRAPE_SECONDS * BYTES_PER_SAMPLE * OVERHEAD) // _MB)
    return as_they_are({"series": series, **_kept(asked, day_mb)})


def _kept(asked: Asked, day_mb: int) -> dict[str, Explained]:
    wanted = asked.option("prometheus_retention_days")
    tier = asked.intent.retention.get("metrics_days", DEFAULT_DAYS)
    days = (
        Explained(tier, "days", "the tier's metrics_days", {}, "docs/tiers.md")
        if wanted is None
        else asked_for("prometheus_retention_days", wanted, "days")
    )
    parts = {
        "day_mb": Explained(
            day_mb,
            "MB",
            "series x samples a day x 2 bytes x 1.3",
            {"scrape_seconds": SCRAPE_SECONDS},
            _SOURCE,
        ),
        "retention_days": days,
    }
    if asked.disk_gb is None:
        return parts
    # A tenth stays free for the log of the newest hours and for joining blocks.
    room_mb = asked.disk_gb * _GB * 9 // 10 // _MB
    needed = day_mb * int(days.value)
    if needed > room_mb:
        raise RefusedError(
            f"Prometheus is to keep {days.value} days, which is {needed} MB at {day_mb} MB a day: its part of"
            f" the disk holds {room_mb} MB",
            [
                Change(
                    "prometheus_retention_days",
                    max(1, room_mb // day_mb),
                    f"keep {max(1, room_mb // day_mb)} days (prometheus_retention_days)",
                )
            ],
        )
    size = Explained(
        room_mb, "MB", "nine tenths of its part of the disk", {"disk_gb": asked.disk_gb}, _SOURCE
    )
    return {**parts, "retention_mb": size}
