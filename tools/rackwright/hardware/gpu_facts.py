"""GPUs of a host: what the PCI bus shows, completed by what the driver tells."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rackwright.hardware import smi
from rackwright.hardware.gpus import (
    GpuModel,
    GpuModels,
    architecture_of_capability,
    architecture_of_chip,
)
from rackwright.hardware.model import Gpu
from rackwright.hardware.pci import PciDevice
from rackwright.hardware.reading import clean
from rackwright.preflight.finding import HostFinding

_NO_PROGRAM = 127


@dataclass(frozen=True)
class Programs:
    """What was asked of the driver.

    Attributes:
        gpus: by address, in the driver's order; empty without a driver.
        peers: addresses that a GPU reaches by NVLink, by its own address.
        fabric: whether a GPU is part of an NVSwitch fabric.
        problem: what nvidia-smi said instead of an answer; empty when it answered or is not there.
    """

    gpus: Mapping[str, smi.SmiGpu]
    peers: Mapping[str, list[str]]
    fabric: bool = False
    problem: str = ""


def ask(programs: Mapping[str, Mapping[str, Any]]) -> Programs:
    """Read the outputs of nvidia-smi that host_scan collected.

    Raises:
        ReadingError: one of them is cut off.
    """
    outcome = programs.get("nvidia_csv", {"rc": _NO_PROGRAM, "out": "", "err": ""})
    if outcome["rc"] != 0 or outcome["out"].startswith("No devices"):
        silent = outcome["rc"] == _NO_PROGRAM
        said = clean(f"{outcome['out']} {outcome['err']}")[:300]
        return Programs({}, {}, problem="" if silent else said or f"exit status {outcome['rc']}")
    gpus = {gpu.address: gpu for gpu in smi.from_csv(outcome["out"])}
    addresses = list(gpus)
    topology = _answer(programs, "nvidia_topology")
    peers = smi.nvlinks(topology) if topology else {}
    xml = _answer(programs, "nvidia_xml")
    return Programs(
        gpus,
        {
            addresses[number]: [addresses[other] for other in others]
            for number, others in peers.items()
            if number < len(addresses) and max(others, default=0) < len(addresses)
        },
        fabric=any(gpu.fabric for gpu in smi.from_xml(xml)) if xml else False,
    )


def _answer(programs: Mapping[str, Mapping[str, Any]], name: str) -> str:
    outcome = programs.get(name)
    return str(outcome["out"]) if outcome and outcome["rc"] == 0 else ""


def gpus(devices: Sequence[PciDevice], asked: Programs, loaded_driver: str, models: GpuModels) -> list[Gpu]:
    """Return the GPUs by address.

    Args:
        devices: of the PCI bus.
        asked: what the driver told.
        loaded_driver: version of the driver that the kernel has loaded, empty for none.
        models: the known models.
    """
    found = {device.address: device for device in devices if device.is_gpu}
    for address, told in asked.gpus.items():
        # A machine that does not show its PCI bus (some virtual ones) still has what the driver tells.
        found.setdefault(address, PciDevice(address, "0302", told.pci_id or "10de:0000", told.subsystem))
    return [_gpu(device, asked, loaded_driver, models) for _address, device in sorted(found.items())]


def _gpu(device: PciDevice, asked: Programs, loaded_driver: str, models: GpuModels) -> Gpu:
    told = asked.gpus.get(device.address)
    model = models.by_id(device.pci_id, device.subsystem)
    capability = (told.capability if told else "") or (model.compute_capability if model else "")
    architecture = model.architecture if model else architecture_of_capability(capability)
    if architecture == "unknown":
        architecture = architecture_of_chip(device.name)
    driver = told.driver if told else (loaded_driver if device.driver == "nvidia" else "")
    return Gpu(
        pci_address=device.address,
        pci_id=device.pci_id,
        model=_name(device, told, model),
        architecture=architecture,
        compute_capability=capability,
        vram_mb=(told.vram_mb if told else 0) or (model.vram_mb if model else 0),
        driver=driver or None,
        mig=told.mig if told else (False if model and model.mig else None),
        nvlink_peers=sorted(asked.peers.get(device.address, [])),
    )


def _name(device: PciDevice, told: smi.SmiGpu | None, model: GpuModel | None) -> str:
    if model:
        return model.model
    return clean((told.name if told else "") or device.name) or f"NVIDIA {device.pci_id}"


def problems(
    host: str, devices: Sequence[PciDevice], asked: Programs, loaded_driver: str
) -> Iterator[HostFinding]:
    """Yield what is odd about a host's GPUs."""
    cards = [device for device in devices if device.is_gpu]
    if asked.problem and (cards or loaded_driver):
        yield HostFinding(
            "warning",
            host,
            "gpu-driver",
            f"nvidia-smi does not answer: {asked.problem}",
            "an answer, since the driver is installed",
            "a reboot mends a driver whose kernel module is older than its programs; else reinstall it. "
            "Until then memory and NVLink are taken from the table of models",
        )
    for device in cards:
        if device.driver == "vfio-pci":
            yield HostFinding(
                "warning",
                host,
                "gpu-passed-through",
                f"{device.address} ({device.pci_id}) is bound to vfio-pci",
                "a GPU that this host uses itself",
                "it belongs to a virtual machine: put that machine into the inventory, or unbind it",
            )
        elif asked.gpus and device.address not in asked.gpus:
            yield HostFinding(
                "warning",
                host,
                "gpu-missing",
                f"{device.address} ({device.pci_id}) is on the bus, but nvidia-smi does not list it",
                "every GPU answers",
                "look for `NVRM: Xid` in `dmesg`; a GPU that has fallen off the bus needs a power cycle",
            )
