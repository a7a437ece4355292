"""The limits of a container: what Docker lets it have of the host."""

from __future__ import annotations

from rackwright.sizing.asked import Asked, Sized, as_they_are
from rackwright.sizing.explained import Explained

_SOURCE = "Docker documentation, resource constraints"


def container_limits(asked: Asked) -> dict[str, Explained]:
    """Return memory (no swap beside it) and cores of a service's container."""
    return {
        "memory_mb": Explained(
            asked.memory_mb, "MB", "its share; swap would only hide that it is too small", {}, _SOURCE
        ),
        "cpus": Explained(asked.cpus, "cores", "its part of the cores, rounded up", {}, _SOURCE),
    }


def size_container(asked: Asked) -> Sized:
    """Derive the numbers of a service of which nothing else is known."""
    return as_they_are(container_limits(asked))
