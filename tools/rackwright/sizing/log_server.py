"""The log server: its part of the disk is what lines may take, and what may wait to be written."""

from __future__ import annotations

from rackwright.sizing.asked import Asked, Sized, as_they_are
from rackwright.sizing.elasticsearch import BASE_DAILY_MB, USER_DAILY_MB
from rackwright.sizing.explained import Explained
from rackwright.sizing.refusal import Change, RefusedError

# Where nobody says how large the disk is.
UNKNOWN_DISK_MB = 2 * 1024
QUEUE_MB = 128
# Lines of a day packed, over what an index of them takes.
PACKED = 0.25
# Of its part: the rest is for what is being packed, which exists twice meanwhile.
USABLE = 0.9
_OURS = "docs/sizing.md, log server"


def size_log_server(asked: Asked) -> Sized:
    """Derive the log server's numbers.

    Raises:
        RefusedError: Days that its disk cannot hold.
    """
    disk_mb = UNKNOWN_DISK_MB if asked.disk_gb is None else asked.disk_gb * 1024
    space = int(disk_mb * USABLE) - QUEUE_MB
    days = asked.intent.retention.get("logs_days", 0)
    daily = asked.option("log_store_daily_mb") or max(
        1, int((BASE_DAILY_MB + USER_DAILY_MB * asked.intent.concurrent_users) * PACKED)
    )
    held = space // daily
    if asked.disk_gb is not None and held < days:
        enough = int((daily * days + QUEUE_MB) / USABLE / 1024) + 1
        raise RefusedError(
            f"the log server's {asked.disk_gb} GB of disk hold {held} days of {daily} MB; {days} are wanted",
            [
                Change("host_disk_gb", 2 * enough, f"give it {enough} GB of its own (host_disk_gb)"),
                Change(
                    "tier_overrides.retention.logs_days",
                    max(1, held),
                    f"keep them for {max(1, held)} days (tier_overrides.retention.logs_days)",
                ),
            ],
        )
    return as_they_are(
        {
            "space_mb": Explained(
                space,
                "MB",
                "nine tenths of its disk less the queue: above it the oldest lines go",
                {"disk_mb": disk_mb, "queue_mb": QUEUE_MB},
                _OURS,
            ),
            "queue_mb": Explained(
                QUEUE_MB,
                "MB",
                "what came and is not written yet; when it is full, hosts keep lines",
                {},
                _OURS,
            ),
            "days_held": Explained(
                held,
                "days",
                "its space over what a day takes, packed",
                {"daily_mb": daily, "wanted": days},
                _OURS,
            ),
        }
    )
