"""What a machine has, from the inventory, a scan, or the running host, in this order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

from rackwright.errors import RackwrightError

Storage = Literal["ssd", "nvme", "hdd"]
# Where every service of the platform keeps its data.
DATA_DIRECTORY = "/var/lib"
_MB = 1024**2
_GB = 10**9


@dataclass(frozen=True)
class MachineGpu:
    """One GPU: its model and its memory in MiB."""

    model: str
    vram_mb: int


@dataclass(frozen=True)
class Machine:
    """What a host has to share out.

    Attributes:
        memory_mb: memory in MB that services may count on.
        cpus: logical processors that services may count on.
        cores: physical cores; None where nobody says.
        gpus: the GPUs; None where the host was never scanned.
        disk_gb: size in GB of the file system that holds the data; None where nobody says.
        storage: the kind of disk under the data.
        container: whether the host is a container, which has no kernel of its own.
        sources: where memory_mb, cpus and disk_gb come from, by name.
    """

    memory_mb: int
    cpus: int
    cores: int | None = None
    gpus: tuple[MachineGpu, ...] | None = None
    disk_gb: int | None = None
    storage: Storage = "ssd"
    container: bool = False
    sources: Mapping[str, str] | None = None

    def source(self, name: str) -> str:
        """Say where a fact comes from; empty where that was not told."""
        return (self.sources or {}).get(name, "")


class UnknownMachineError(RackwrightError):
    """Nobody says what a host has; `missing` has the names of what is not known."""

    def __init__(self, missing: tuple[str, ...]) -> None:
        names = {"host_memory_mb": "memory", "host_cpus": "cores"}
        what = " and ".join(names[name] for name in missing)
        super().__init__(
            f"what it has in {what} is not known: {' and '.join(missing)} "
            f"{'is' if len(missing) == 1 else 'are'} not set, and the host was not scanned",
            hint="scan it with `rackwright scan`, set "
            f"{' and '.join(missing)} in the inventory, or try sizes with --memory-mb and --cpus",
        )
        self.missing = missing


def machine_of(
    variables: Mapping[str, Any],
    facts: Mapping[str, Any] | None = None,
    fallback: Mapping[str, int] | None = None,
) -> Machine:
    """Return what a host has.

    Args:
        variables: The host's variables; read are host_memory_mb, host_cpus, host_disk_gb and `hardware`.
        facts: What the running host says of itself (`host_facts`), where it was asked.
        fallback: host_memory_mb and host_cpus of hosts that nobody describes.

    Raises:
        UnknownMachineError: Memory or cores are nowhere.
    """
    facts = facts or {}
    scanned: Mapping[str, Any] = variables.get("hardware") or {}
    system: Mapping[str, Any] = scanned.get("system") or {}
    cpu: Mapping[str, Any] = scanned.get("cpu") or {}
    found: dict[str, tuple[int, str]] = {}
    for name, scan, fact in (
        ("host_memory_mb", scanned.get("memory_mb"), facts.get("memory_mb")),
        ("host_cpus", cpu.get("threads"), facts.get("cpus")),
    ):
        for value, source in (
            (variables.get(name), f"{name} of the inventory"),
            (scan, "scan"),
            (fact, "the running host"),
            ((fallback or {}).get(name), "command line"),
        ):
            if value is not None:
                found[name] = (int(value), source)
                break
    missing = tuple(name for name in ("host_memory_mb", "host_cpus") if name not in found)
    if missing:
        raise UnknownMachineError(missing)
    virtual = system.get("virtualization", facts.get("virtualization"))
    (memory_mb, memory_source), (cpus, cpus_source) = found["host_memory_mb"], found["host_cpus"]
    machine = Machine(
        memory_mb=memory_mb,
        cpus=cpus,
        cores=None if cpu.get("cores") is None else int(cpu["cores"]),
        gpus=_gpus(scanned) if scanned else None,
        storage=_rotating(facts),
        container=virtual in {"container", "docker", "lxc", "podman", "systemd-nspawn"}
        or bool(facts.get("is_container", False)),
        sources={"memory_mb": memory_source, "cpus": cpus_source},
    )
    return _with_disk(machine, variables, scanned)


def _gpus(scanned: Mapping[str, Any]) -> tuple[MachineGpu, ...]:
    return tuple(MachineGpu(str(gpu["model"]), int(gpu["vram_mb"])) for gpu in scanned.get("gpus") or ())


def _rotating(facts: Mapping[str, Any]) -> Storage:
    # A virtual disk often calls itself rotational whatever it stands on, so only real machines are believed.
    real = facts.get("virtualization") == "none"
    return "hdd" if real and facts.get("data_disk_rotational") else "ssd"


def _with_disk(machine: Machine, variables: Mapping[str, Any], scanned: Mapping[str, Any]) -> Machine:
    """Add size and kind of the disk that holds the data."""
    sources = dict(machine.sources or {})
    filesystem = _data_filesystem(scanned.get("filesystems") or ())
    if filesystem is not None:
        kinds = {str(disk["name"]): str(disk["kind"]) for disk in scanned.get("disks") or ()}
        kind = kinds.get(str(filesystem["disk"]), "virtual")
        size = int(filesystem["size_mb"]) * _MB // _GB
        sources["disk_gb"] = f"scan, {filesystem['mount']}"
        machine = replace(machine, disk_gb=size, storage=_storage(kind), sources=sources)
    given = variables.get("host_disk_gb")
    if given is not None:
        sources["disk_gb"] = "host_disk_gb of the inventory"
        machine = replace(machine, disk_gb=int(given), sources=sources)
    return machine


def _storage(kind: str) -> Storage:
    for known in get_args(Storage):
        if kind == known:
            return known  # type: ignore[no-any-return]
    return "ssd"


def _data_filesystem(filesystems: object) -> Mapping[str, Any] | None:
    """Return the file system that DATA_DIRECTORY is on: the one with the longest mount point above it."""
    best: Mapping[str, Any] | None = None
    for filesystem in filesystems if isinstance(filesystems, (list, tuple)) else ():
        mount = str(filesystem["mount"]).rstrip("/")
        above = f"{DATA_DIRECTORY}/".startswith(f"{mount}/")
        if above and (best is None or len(mount) > len(str(best["mount"]).rstrip("/"))):
            best = filesystem
    return best
