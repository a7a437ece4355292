"""Makes a host's Hardware of what host_scan read on it."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

from rackwright.hardware import gpu_facts, machine, pci, smi
from rackwright.hardware.gpus import GpuModels, known_gpus, unknown_findings
from rackwright.hardware.model import Hardware, System
from rackwright.hardware.reading import ReadingError, clean
from rackwright.preflight.finding import HostFinding

_NAMES = {"debian": "Debian", "ubuntu": "Ubuntu"}
# As systemd-detect-virt names them.
_CONTAINERS = {
    "docker", "lxc", "lxc-libvirt", "openvz", "podman", "pouch", "proot", "rkt", "systemd-nspawn", "wsl",
    "container-other",
}  # fmt: skip


def hardware_of(
    host: str, raw: Mapping[str, Any], models: GpuModels | None = None
) -> tuple[Hardware, list[HostFinding]]:
    """Return what a host is made of, and what is odd about it.

    Args:
        host: its name in the inventory.
        raw: what host_scan handed back.
        models: the known models of GPUs; default: those of group_vars/all/gpus.yml.

    Raises:
        ReadingError: an output is cut off; the message names it.
    """
    models = models or known_gpus()
    try:
        system = _system(raw)
        devices = pci.from_sysfs(raw["pci"])
        asked = gpu_facts.ask(raw["programs"])
        devices = _own(devices, asked, raw, contained=system.virtualization == "container")
        loaded = smi.driver_version(raw["texts"]["nvidia_driver"])
        cpus, memory = int(raw["cpus"]), machine.memory_mb(raw["texts"]["meminfo"])
        lscpu = raw["programs"]["lscpu"]
        hardware = Hardware(
            system=system,
            cpu=machine.cpu(lscpu["out"] if lscpu["rc"] == 0 else "", cpus),
            memory_mb=memory,
            numa=machine.numa(raw["numa"], memory),
            disks=machine.disks(raw["disks"]),
            filesystems=machine.filesystems(raw["mounts"]),
            network=machine.network(raw["interfaces"]),
            gpus=gpu_facts.gpus(devices, asked, loaded, models),
            nvswitch=asked.fabric or any(device.is_nvswitch for device in devices),
        )
    except KeyError as error:
        raise ReadingError("host_scan", f"it did not hand back {error}") from error
    findings = [*gpu_facts.problems(host, devices, asked, loaded), *unknown_findings(host, hardware.gpus)]
    return hardware, findings


def _own(
    devices: list[pci.PciDevice], asked: gpu_facts.Programs, raw: Mapping[str, Any], *, contained: bool
) -> list[pci.PciDevice]:
    """Leave out what a container sees on its machine's bus but was not given."""
    if not contained:
        return devices
    if "nvidiactl" not in raw["nvidia_nodes"]:
        return []
    return [device for device in devices if not device.is_gpu or device.address in asked.gpus]


def release(text: str) -> dict[str, str]:
    """Read os-release(5).

    Raises:
        ReadingError: it does not name the system, or a quote is not closed.
    """
    values = {}
    for line in text.splitlines():
        key, separator, value = line.partition("=")
        if separator and not line.startswith("#"):
            try:
                values[key.strip()] = "".join(shlex.split(value)[:1])
            except ValueError as error:
                raise ReadingError("/etc/os-release", f"`{line}`: {error}") from error
    if "ID" not in values:
        raise ReadingError("/etc/os-release", "it has no line `ID`")
    return values


def _system(raw: Mapping[str, Any]) -> System:
    values = release(raw["texts"]["os_release"])
    told: Mapping[str, str] = raw["system"]
    kind = told["virtualization"]
    return System(
        distribution=_NAMES.get(values["ID"], clean(values["ID"]).capitalize()),
        version=clean(values.get("VERSION_ID", "")),
        codename=clean(values.get("VERSION_CODENAME", "")),
        kernel=clean(told["kernel"]),
        architecture=clean(told["architecture"]),
        virtualization="container" if kind in _CONTAINERS else clean(kind),
        secure_boot={"on": True, "off": False}.get(told["secure_boot"]),
        python=clean(told["python"]),
    )
