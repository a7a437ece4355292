"""Sharing by weight with minimums: the arithmetic that memory, disk and GPUs have in common."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class ServiceShare:
    """What one service asks of its host.

    Attributes:
        weight: its part of what is left, relative to its neighbours; at least 1.
        minimum_mb: the amount below which it cannot do its work, in MB (of a disk: in GB); at least 1.
    """

    weight: int
    minimum_mb: int


def pinned(usable: int, services: Mapping[str, ServiceShare]) -> frozenset[str]:
    """Return the services that get their minimum because their part by weight would be under it."""
    found: set[str] = set()
    while True:
        free = {name: share for name, share in services.items() if name not in found}
        rest = usable - sum(services[name].minimum_mb for name in found)
        weights = sum(share.weight for share in free.values())
        short = {name for name, share in free.items() if rest * share.weight < share.minimum_mb * weights}
        if not short:
            return frozenset(found)
        found |= short
