"""Elasticsearch: half of the share is heap, the other half is what Lucene reads through the page cache."""

from __future__ import annotations

from rackwright.sizing.asked import Asked, Sized, as_they_are
from rackwright.sizing.containers import container_limits
from rackwright.sizing.explained import Explained
from rackwright.sizing.refusal import Change, RefusedError

# Above about 32 GB the JVM gives up compressed object pointers, and a larger heap holds less.
LARGEST_HEAP_MB = 31 * 1024
SMALLEST_HEAP_MB = 512
# Elasticsearch's low watermark: above it no index is placed on the disk.
USABLE = 0.85
# What a site writes a day as the store keeps it, where nobody has said: the platform itself, and each user.
BASE_DAILY_MB, USER_DAILY_MB = 50, 5
_SOURCE = "Elasticsearch reference, JVM heap size"


def size_elasticsearch(asked: Asked) -> Sized:
    """Derive Elasticsearch's numbers.

    Raises:
        RefusedError: Less than 1 GB, so less than 512 MB of heap; or days that its disk cannot hold.
    """
    held = _days_held(asked)
    heap = min(LARGEST_HEAP_MB, asked.memory_mb // 2)
    if heap < SMALLEST_HEAP_MB:
        enough = 2 * SMALLEST_HEAP_MB
        raise RefusedError(
            f"Elasticsearch's {asked.memory_mb} MB leave {heap} MB of heap: it needs {SMALLEST_HEAP_MB}",
            [
                Change(
                    "services.elasticsearch.memory.minimum_mb",
                    enough,
                    f"give it {enough} MB (services.elasticsearch.memory)",
                )
            ],
        )
    inputs = {"memory_mb": asked.memory_mb}
    return as_they_are(
        {
            **container_limits(asked),
            "heap_mb": Explained(
                heap,
                "MB",
                "memory / 2, at most 31 GB (compressed object pointers); Xms = Xmx",
                inputs,
                _SOURCE,
            ),
            "node_processors": Explained(
                asked.cpus,
                "",
                "its cores: the thread pools follow",
                {"cpus": asked.cpus},
                "Elasticsearch reference, node.processors",
            ),
            **({} if held is None else {"days_held": held}),
        }
    )


def _days_held(asked: Asked) -> Explained | None:
    """Return for how many days its disk holds the lines of the site; None where the disk is not known."""
    days = asked.intent.retention.get("logs_days", 0)
    if asked.disk_gb is None:
        return None
    daily = (
        asked.option("log_store_daily_mb") or BASE_DAILY_MB + USER_DAILY_MB * asked.intent.concurrent_users
    )
    held = int(asked.disk_gb * 1024 * USABLE / daily)
    if held < days:
        enough = int(daily * days / 1024 / USABLE) + 1
        raise RefusedError(
            f"Elasticsearch's {asked.disk_gb} GB of disk hold {held} days of {daily} MB; {days} are wanted",
            [
                Change("host_disk_gb", 2 * enough, f"give it {enough} GB of its own (host_disk_gb)"),
                Change(
                    "tier_overrides.retention.logs_days",
                    max(1, held),
                    f"keep them for {max(1, held)} days (tier_overrides.retention.logs_days)",
                ),
            ],
        )
    return Explained(
        held,
        "days",
        "disk x 0.85 (the watermark) / what the site writes a day",
        {"disk_gb": asked.disk_gb, "daily_mb": daily, "wanted": days},
        "docs/sizing.md, Elasticsearch",
    )
