"""The hardware of one host, as `rackwright scan` writes it and everything else reads it.

It is the variable `hardware` of `host_vars/<host>/hardware.yml` of a site's inventory. Nothing in it changes
from one scan to the next unless the machine has changed, so that a diff of the file is worth reading.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from rackwright.site.variables import Strict

Architecture = Literal[
    "kepler", "maxwell", "pascal", "volta", "turing", "ampere", "ada", "hopper", "blackwell", "unknown"
]
DiskKind = Literal["nvme", "ssd", "hdd", "virtual"]
Virtualization = str

Positive = Annotated[int, Field(ge=1)]
NotNegative = Annotated[int, Field(ge=0)]


class System(Strict):
    """The operating system."""

    distribution: str = Field(description="Debian, Ubuntu, …")
    version: str = Field(description='Release: "13", "24.04".')
    codename: str = Field(description="trixie, noble, …; empty where there is none.")
    kernel: str = Field(description="Release of the running kernel, as `uname -r` prints it.")
    architecture: str = Field(description="x86_64 or aarch64.")
    virtualization: Virtualization = Field(description="none, container, kvm, …")
    secure_boot: bool | None = Field(description="Whether it is on; null where the firmware does not say.")
    python: str = Field(description='Version of the interpreter that modules run under: "3.13".')


class Cpu(Strict):
    """Processors."""

    model: str
    sockets: Positive
    cores: Positive = Field(description="Physical cores of all sockets.")
    threads: Positive = Field(description="Logical processors that the host may use.")


class NumaNode(Strict):
    """One NUMA node."""

    node: NotNegative
    cpus: str = Field(description="Its logical processors as the kernel lists them: 0-31,64-95.")
    memory_mb: NotNegative


class Disk(Strict):
    """One block device that is no partition."""

    name: str
    kind: DiskKind
    size_gb: NotNegative = Field(description="Size in GB of 10^9 bytes, as vendors count.")
    model: str = ""


class Filesystem(Strict):
    """One mounted file system that may hold data."""

    mount: str
    type: str
    disk: str = Field(description="Name of its disk in `disks`; empty where that cannot be known.")
    size_mb: NotNegative
    free_mb: NotNegative = Field(
        description="Free space in MB, rounded down to 1024 so that a scan an hour later reads the same."
    )


class NetworkInterface(Strict):
    """One network interface that is up and is no loopback."""

    name: str
    speed_mbps: Positive | None = Field(description="Link speed in Mbit/s; null where the driver is silent.")
    addresses: list[str]
    mtu: Positive


class Gpu(Strict):
    """One graphics processor, found by its PCI id, completed by nvidia-smi where a driver runs."""

    pci_address: str = Field(description="0000:3b:00.0")
    pci_id: Annotated[str, Field(pattern=r"^[0-9a-f]{4}:[0-9a-f]{4}$")] = Field(description="10de:20b5")
    model: str = Field(description="Name of group_vars/all/gpus.yml, else what the machine says.")
    architecture: Architecture
    compute_capability: str = Field(description='"8.0"; empty where unknown.')
    vram_mb: NotNegative = Field(description="Memory in MiB; 0 where unknown.")
    driver: str | None = Field(description="Version of the driver that runs it; null before there is one.")
    mig: bool | None = Field(description="Whether it is partitioned by MIG; null where it cannot be.")
    nvlink_peers: list[str] = Field(description="PCI addresses of the GPUs that it reaches by NVLink.")


class Hardware(Strict):
    """All of it."""

    system: System
    cpu: Cpu
    memory_mb: Positive = Field(description="Memory of the machine in MiB.")
    numa: list[NumaNode]
    disks: list[Disk]
    filesystems: list[Filesystem]
    network: list[NetworkInterface]
    gpus: list[Gpu]
    nvswitch: bool = Field(description="Whether the GPUs are joined by NVSwitch (needs the fabric manager).")
