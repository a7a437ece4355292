"""What the logs of a host may take of its disk: journal, files, containers, and what waits to be sent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from rackwright.sizing.asked import Sized, as_they_are, asked_for
from rackwright.sizing.disk import reserve_gb
from rackwright.sizing.explained import Explained, Scalar
from rackwright.sizing.intent import Intent
from rackwright.sizing.machine import Machine
from rackwright.sizing.refusal import Change, RefusedError

LEAST_MB, MOST_MB = 1024, 20 * 1024
# The container blocks' own limits: five files of 10 MB (rackwright.containers).
CONTAINER_MB = 50
LEAST_FILE_KB = 256
DAYS = 30
_OURS = "docs/sizing.md, logs"


@dataclass(frozen=True)
class LogNeeds:
    """What of a host writes logs.

    Attributes:
        files: log files that logrotate turns, each glob with as many as it stands for.
        containers: containers, whose logs Docker turns.
        shipped: whether lines wait here for the site's log store.
    """

    files: int = 1
    containers: int = 0
    shipped: bool = False


def size_logs(machine: Machine, needs: LogNeeds, intent: Intent, space_mb: int | None = None) -> Sized:
    """Share the space of a host's logs, so that their sum is bounded whatever is written.

    Args:
        machine: The host.
        needs: What writes.
        intent: What the tier wants: days that logs are kept.
        space_mb: What the operator gives them; None for a part of the disk.

    Raises:
        RefusedError: More than the disk's reserve can give, or too little for the files.
    """
    space = _space(machine, space_mb)
    total = int(space.value)
    days = intent.retention.get("logs_days", DAYS)
    containers = needs.containers * CONTAINER_MB
    rest = max(0, total - containers)
    inputs: dict[str, Scalar] = {"space_mb": total, "containers_mb": containers}
    journal = rest * 3 // 10
    buffer = rest * 3 // 10 if needs.shipped else 0
    files = rest - journal - buffer
    kept = needs.files * (days + 1)
    file_kb = files * 1024 // kept
    if file_kb < LEAST_FILE_KB:
        part = 0.4 if needs.shipped else 0.7
        enough = containers + int(LEAST_FILE_KB * kept / 1024 / part) + 2
        raise RefusedError(
            f"{total} MB are too few for the host's logs: {needs.files} files kept for {days} days could "
            f"have {file_kb} kB each, and {LEAST_FILE_KB} kB are the least",
            [
                Change("log_space_mb", enough, f"set log_space_mb to {enough}"),
                Change(
                    "tier_overrides.retention.logs_days",
                    max(1, days // 2),
                    "keep them for fewer days (tier_overrides.retention.logs_days)",
                ),
            ],
        )
    return as_they_are(
        {
            "space_mb": space,
            "journal_mb": Explained(journal, "MB", "three tenths of what containers leave", inputs, _OURS),
            "buffer_mb": Explained(
                buffer,
                "MB",
                "three tenths, where lines are sent to a log store: what may wait while it is away",
                {**inputs, "shipped": needs.shipped},
                _OURS,
            ),
            "containers_mb": Explained(
                containers,
                "MB",
                f"{CONTAINER_MB} MB each",
                {"containers": needs.containers},
                "docs/containers.md",
            ),
            "file_max_kb": Explained(
                file_kb,
                "kB",
                "the rest over all files and those kept of them, as though nothing were compressed",
                {"files_mb": files, "files": needs.files, "kept": days + 1},
                _OURS,
            ),
            "days": Explained(days, "", "the tier's logs_days", {}, "the site's tier"),
        }
    )


def _space(machine: Machine, wanted_mb: int | None) -> Explained:
    inputs: Mapping[str, Scalar] = {} if machine.disk_gb is None else {"disk_gb": machine.disk_gb}
    most = None if machine.disk_gb is None else reserve_gb(machine.disk_gb) * 1024 * 4 // 5
    if wanted_mb is not None:
        if most is not None and wanted_mb > most:
            raise RefusedError(
                f"log_space_mb is {wanted_mb}: logs live in the disk's reserve, and may have {most} MB of it",
                [
                    Change("log_space_mb", most, f"set log_space_mb to {most} at most"),
                    Change("host_disk_gb", -(-wanted_mb // 819) * 10, "give the host a larger disk"),
                ],
            )
        return asked_for("log_space_mb", wanted_mb, "MB")
    if machine.disk_gb is None:
        return Explained(LEAST_MB, "MB", "the disk is not known", {}, _OURS)
    share = reserve_gb(machine.disk_gb) * 1024 * 2 // 5
    rule = f"two fifths of the disk's reserve, {LEAST_MB} to {MOST_MB} MB"
    return Explained(min(MOST_MB, max(LEAST_MB, share)), "MB", rule, inputs, _OURS)
