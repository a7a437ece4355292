"""How the services of one machine share the file system that holds their data.

Nothing enforces these parts; what follows from them (write-ahead logs, temporary files, watermarks) keeps a
service from filling the disk of its neighbours.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from rackwright.sizing.explained import Explained
from rackwright.sizing.refusal import Change, RefusedError
from rackwright.sizing.shares import ServiceShare, pinned

# The alert rings at 90 %, so a tenth stays free; the system itself needs room too.
SMALLEST_RESERVE_GB = 4
_SOURCE = "docs/sizing.md, disk"


@dataclass(frozen=True)
class DiskNeed:
    """What a service asks of the data disk: a weight among its neighbours, and a minimum in GB."""

    weight: int
    minimum_gb: int


DISK_NEEDS: Mapping[str, DiskNeed] = {
    "postgresql": DiskNeed(6, 4),
    "mariadb": DiskNeed(6, 2),
    "mongodb": DiskNeed(6, 4),
    "redis": DiskNeed(1, 1),
    "app": DiskNeed(1, 1),
    "nginx": DiskNeed(1, 1),
    "haproxy": DiskNeed(1, 1),
    "traefik": DiskNeed(1, 1),
    "qdrant": DiskNeed(4, 4),
    "chroma": DiskNeed(4, 2),
    "rclone": DiskNeed(4, 2),
    "milvus": DiskNeed(8, 10),
    "weaviate": DiskNeed(4, 4),
    "prometheus": DiskNeed(2, 2),
    "elasticsearch": DiskNeed(6, 8),
    "logstash": DiskNeed(2, 2),
    "log_server": DiskNeed(2, 2),
    "llama_cpp": DiskNeed(4, 2),
    "ollama": DiskNeed(8, 8),
    "vllm": DiskNeed(8, 16),
}


def reserve_gb(disk_gb: int) -> int:
    """Return what no service gets, in GB: a tenth, and at least 4."""
    return max(SMALLEST_RESERVE_GB, disk_gb // 10)


def disk_budget(disk_gb: int | None, services: Iterable[str]) -> dict[str, Explained]:
    """Share the data disk among the services that keep something on it.

    Args:
        disk_gb: Size of its file system in GB; None where nobody says.
        services: The services of the host.

    Returns:
        The part of each in GB; empty where the disk is not known.

    Raises:
        RefusedError: The minimums do not fit; names the smallest disk that would do.
    """
    needs = {name: DISK_NEEDS[name] for name in services if name in DISK_NEEDS}
    if disk_gb is None or not needs:
        return {}
    usable = disk_gb - reserve_gb(disk_gb)
    wanted = sum(need.minimum_gb for need in needs.values())
    if wanted > usable:
        enough = _smallest(wanted)
        raise RefusedError(
            f"the disk of {disk_gb} GB is {wanted - usable} GB too small: {max(0, usable)} GB are left after "
            f"the reserve, and {', '.join(f'{name} {need.minimum_gb}' for name, need in needs.items())} GB "
            "are needed",
            [Change("host_disk_gb", enough, f"give it a data disk of {enough} GB")],
        )
    shares = {name: ServiceShare(need.weight, need.minimum_gb) for name, need in needs.items()}
    at_minimum = pinned(usable, shares)
    rest = usable - sum(shares[name].minimum_mb for name in at_minimum)
    weights = sum(share.weight for name, share in shares.items() if name not in at_minimum)
    budget = {}
    for name, share in shares.items():
        if name in at_minimum:
            rule, value = "the minimum: the part by weight would be smaller", share.minimum_mb
        else:
            rule, value = "shared_gb x weight / weights", rest * share.weight // weights
        inputs = {
            "disk_gb": disk_gb,
            "shared_gb": rest,
            "weight": share.weight,
            "minimum_gb": share.minimum_mb,
        }
        budget[name] = Explained(value, "GB", rule, inputs, _SOURCE)
    return budget


def _smallest(wanted: int) -> int:
    disk_gb = wanted
    while disk_gb - reserve_gb(disk_gb) < wanted:
        disk_gb += wanted - (disk_gb - reserve_gb(disk_gb))
    return disk_gb
