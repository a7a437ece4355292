"""Settings of the kernel for a host that several services share.

Set only where the kernel's own value does not do: shmmax and shmall allow more than any machine has since
Linux 3.16, and file-max is lifted by systemd, so neither is touched.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from rackwright.sizing.explained import Explained, Scalar
from rackwright.sizing.intent import Intent
from rackwright.sizing.machine import Machine

LEAST_BACKLOG, MOST_BACKLOG = 4096, 65535
MAPS_SERVICES = frozenset({"elasticsearch", "qdrant", "milvus", "weaviate"})
MAP_COUNT = 1_048_576
_MB = 1024**2
_KERNEL = "Linux documentation, sysctl/vm"
_OURS = "docs/sizing.md, kernel"


@dataclass(frozen=True)
class KernelSettings:
    """What a host's kernel is told.

    Attributes:
        network: belongs to the host's own network, in a container too.
        machine: belongs to the machine; a container has no say in it.
    """

    network: Mapping[str, Explained]
    machine: Mapping[str, Explained]

    def as_dict(self) -> dict[str, dict[str, Scalar]]:
        """The numbers alone."""
        return {
            "network": {name: item.value for name, item in self.network.items()},
            "machine": {name: item.value for name, item in self.machine.items()},
        }


def size_kernel(
    machine: Machine, intent: Intent, services: frozenset[str], huge_pages: int
) -> KernelSettings:
    """Derive the kernel's settings.

    Args:
        machine: The host.
        intent: What the tier wants.
        services: The services of this host.
        huge_pages: 2 MB pages to set aside for PostgreSQL; 0 for none.
    """
    backlog = max(LEAST_BACKLOG, min(MOST_BACKLOG, intent.concurrent_users * 8))
    users: dict[str, Scalar] = {"concurrent_users": intent.concurrent_users}
    rule = f"8 a user, {LEAST_BACKLOG} to {MOST_BACKLOG}"
    network = {
        name: Explained(backlog, "", rule, users, "nginx and Redis documentation: backlog")
        for name in ("net.core.somaxconn", "net.ipv4.tcp_max_syn_backlog")
    }
    memory: dict[str, Scalar] = {"memory_mb": machine.memory_mb}
    background = max(64, min(1024, machine.memory_mb // 100))
    settings = {
        "vm.swappiness": Explained(
            10, "", "databases and models keep what they cache; swap is for what nobody asks for", {}, _OURS
        ),
        "vm.overcommit_memory": _overcommit(services),
        "vm.dirty_background_bytes": Explained(
            background * _MB,
            "bytes",
            "1 % of the memory, 64 MB to 1 GB: writing starts early",
            memory,
            _KERNEL,
        ),
        "vm.dirty_bytes": Explained(
            background * 4 * _MB,
            "bytes",
            "four times that: a checkpoint never waits for tens of GB (the default is 20 % of the memory)",
            memory,
            _KERNEL,
        ),
    }
    if services & MAPS_SERVICES:
        settings["vm.max_map_count"] = Explained(
            MAP_COUNT,
            "",
            "indexes are mapped files, one map for each",
            {"service": ", ".join(sorted(services & MAPS_SERVICES))},
            "Elasticsearch reference, vm.max_map_count",
        )
    if huge_pages:
        settings["vm.nr_hugepages"] = Explained(
            huge_pages,
            "",
            "PostgreSQL's shared memory in pages of 2 MB, set aside for it alone",
            {"postgresql_huge_pages_reserved": True},
            "PostgreSQL manual, huge pages",
        )
    return KernelSettings(network, settings)


def _overcommit(services: frozenset[str]) -> Explained:
    """0 or 1, never 2.

    With 2 the kernel counts every mapping as used. A model server maps whole models and a GPU's driver
    reserves address space far beyond the memory, so both would be refused on a host that has plenty.
    """
    if "redis" in services:
        rule = "1: Redis forks to save, and the copy is mostly never written"
        return Explained(1, "", rule, {"service": "redis"}, "Redis documentation, administration")
    return Explained(0, "", "0, the kernel's heuristic; 2 would refuse model servers their maps", {}, _KERNEL)
