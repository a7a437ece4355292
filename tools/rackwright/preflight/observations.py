"""What module `host_preflight` saw on one host. Strict, so that the two cannot drift apart unnoticed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pydantic import Field

from rackwright.site.variables import Strict

SourceKind = Literal[
    "ok",
    "name",
    "refused",
    "timeout",
    "unreachable",
    "tls",
    "status",
    "proxy",
    "intercepted",
    "medium",
    "other",
]


class Filesystem(Strict):
    """What lies under a path."""

    path: str
    mount: str
    device: str
    type: str
    size_mb: int
    free_mb: int = Field(description="What a service may still use, in MiB.")
    inodes_free_percent: int | None
    read_only: bool
    noexec: bool


class Gpu(Strict):
    """One of NVIDIA's graphics processors on the PCI bus."""

    address: str
    id: str = Field(description="10de:20b5")
    subsystem: str = Field(description="The card's own id.")
    driver: str | None = Field(description="Kernel driver that has it: nvidia, nouveau, vfio-pci, …")


class Headers(Strict):
    """The headers of the running kernel."""

    installed: bool
    available: bool | None = Field(description="In the package sources; null before these were ever fetched.")


class Proxy(Strict):
    """A proxy that programs are told to use."""

    where: str
    name: str
    value: str


class Source(Strict):
    """How a package source, or another URL, answered."""

    url: str
    proxy: str
    kind: SourceKind
    detail: str
    seconds: float


class Name(Strict):
    """How the host's own resolver answered."""

    name: str
    ok: bool
    detail: str
    seconds: float


class NameServer(Strict):
    """How one name server answered."""

    server: str
    ok: bool
    detail: str


class Interface(Strict):
    """One network interface."""

    name: str
    up: bool
    addresses: list[str] = Field(description="With their prefix: 10.0.20.11/24.")
    speed_mbps: int | None


class Route(Strict):
    """One route of the main table."""

    network: str
    interface: str
    gateway: str


class Listener(Strict):
    """Who waits on a port."""

    protocol: Literal["tcp", "udp"]
    address: str
    port: int
    program: str
    unit: str
    container: str


class Observations(Strict):
    """All that was seen; times are the host's own, in seconds since 1970."""

    started: float
    ended: float
    hostname: str
    machine_id: str
    boot_id: str
    os: str
    kernel: str
    architecture: str
    python: str
    container: bool
    systemd: bool
    cgroup_version: Literal[1, 2]
    clock_synchronised: bool | None
    memory_mb: int
    memory_available_mb: int
    cpus: int
    disks_gb: float
    filesystems: list[Filesystem]
    gpus: list[Gpu]
    driver: str | None
    headers: Headers | None
    secure_boot: bool | None
    packages: list[str]
    units: list[str]
    docker_snap: bool
    ufw: bool
    interfaces: list[Interface] | None
    routes: list[Route]
    listeners: list[Listener]
    proxies: list[Proxy]
    resolvers: list[str]
    own_sources: bool = Field(default=True, description="Whether apt will read the host's own sources.")
    sources: list[Source]
    urls: list[Source]
    names: list[Name]
    dns: list[NameServer]


@dataclass(frozen=True)
class Answer:
    """What came of asking one host.

    Attributes:
        host: Its name in the inventory.
        observations: What was seen; None where it could not be asked.
        window: The control node's time before and after the call, in seconds since 1970.
        problem: Why it could not be asked, in the words of ssh, sudo or the shell.
    """

    host: str
    observations: Observations | None = None
    window: tuple[float, float] = (0.0, 0.0)
    problem: str = ""
