"""Answers about a host's hardware that others ask: its largest group of equal GPUs, its data disk."""

from __future__ import annotations

from dataclasses import dataclass

from rackwright.hardware.gpus import GpuModel, known_gpus
from rackwright.hardware.model import Architecture, Disk, DiskKind, Filesystem, Gpu, Hardware

_DATA_PLACES = ("/var/lib/rackwright", "/srv", "/data", "/var/lib", "/var", "/")


@dataclass(frozen=True)
class GpuGroup:
    """GPUs of one host that can serve a model together: same model, same memory, not partitioned.

    Attributes:
        model: name of the model.
        architecture: of all of them.
        count: how many.
        vram_mb: memory of each, in MiB; 0 where unknown.
        nvlink: whether each reaches all others by NVLink.
        addresses: their PCI addresses.
        known: the model's data; None for a model that group_vars/all/gpus.yml does not have.
    """

    model: str
    architecture: Architecture
    count: int
    vram_mb: int
    nvlink: bool
    addresses: tuple[str, ...]
    known: GpuModel | None

    @property
    def total_vram_mb(self) -> int:
        """Memory of all of them, in MiB."""
        return self.count * self.vram_mb


def gpu_groups(hardware: Hardware) -> list[GpuGroup]:
    """Return a host's GPUs in groups of equals, the one with most memory first.

    A GPU that is partitioned by MIG is in none: what serves a model there is one of its parts.
    """
    members: dict[tuple[str, int], list[Gpu]] = {}
    for gpu in hardware.gpus:
        if gpu.mig is not True:
            members.setdefault((gpu.model, gpu.vram_mb), []).append(gpu)
    groups = [_group(gpus) for gpus in members.values()]
    return sorted(groups, key=lambda group: (-group.total_vram_mb, group.model))


def _group(gpus: list[Gpu]) -> GpuGroup:
    first = gpus[0]
    addresses = {gpu.pci_address for gpu in gpus}
    return GpuGroup(
        model=first.model,
        architecture=first.architecture,
        count=len(gpus),
        vram_mb=first.vram_mb,
        nvlink=len(gpus) > 1 and all(addresses - {gpu.pci_address} <= set(gpu.nvlink_peers) for gpu in gpus),
        addresses=tuple(sorted(addresses)),
        known=known_gpus().of(first),
    )


def largest_gpu_group(hardware: Hardware) -> GpuGroup | None:
    """Return the group of equal GPUs with most memory; None for a host without one."""
    return next(iter(gpu_groups(hardware)), None)


def total_vram_mb(hardware: Hardware) -> int:
    """Return the memory of all GPUs of a host, partitioned ones too, in MiB."""
    return sum(gpu.vram_mb for gpu in hardware.gpus)


def data_filesystem(hardware: Hardware, places: tuple[str, ...] = _DATA_PLACES) -> Filesystem | None:
    """Return the file system that holds a place: of the places given the first one mounted on its own.

    A file system for data (/srv, /data) wins over the root's; without one it is the root's.
    """
    by_mount = {entry.mount: entry for entry in hardware.filesystems}
    return next((by_mount[place] for place in places if place in by_mount), None)


def data_disk(hardware: Hardware) -> Disk | None:
    """Return the disk under the data's file system; None where that cannot be known (pool, container)."""
    filesystem = data_filesystem(hardware)
    names = {disk.name: disk for disk in hardware.disks}
    return names.get(filesystem.disk) if filesystem else None


def data_disk_kind(hardware: Hardware) -> DiskKind | None:
    """Return the kind of the data's disk; that of the only disk where the file system hides it."""
    disk = data_disk(hardware)
    if disk is None and len(hardware.disks) == 1:
        disk = hardware.disks[0]
    return disk.kind if disk else None


def network_mbps(hardware: Hardware) -> int | None:
    """Return the speed of the fastest link in Mbit/s; None where no driver says one."""
    return max((link.speed_mbps for link in hardware.network if link.speed_mbps), default=None)
