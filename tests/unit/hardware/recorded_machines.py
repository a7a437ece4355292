"""Recorded outputs of machines, put together to what host_scan hands back (tests/data/hardware)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from rackwright.hardware.pci import PciDevice, from_lspci

DATA = Path(__file__).parents[2] / "data" / "hardware"
MACHINES = sorted(path.name for path in DATA.iterdir() if path.is_dir())
_PROGRAMS = {"nvidia_csv": "nvidia-smi.csv", "nvidia_topology": "topo.txt", "nvidia_xml": "nvidia-smi.xml"}
ABSENT = {"rc": 127, "out": "", "err": "nvidia-smi: no such program"}


def text(machine: str, name: str) -> str:
    """Return a recorded output, empty where there is none."""
    path = DATA / machine / name
    return path.read_text(encoding="utf-8") if path.exists() else ""


def raw(machine: str, *, driver: bool = True) -> dict[str, Any]:
    """Return what host_scan would hand back on a machine, with its driver or before there is one."""
    values = json.loads(text(machine, "machine.json"))
    programs: dict[str, Any] = {"lscpu": {"rc": 0, "out": text(machine, "lscpu.txt"), "err": ""}}
    for program, name in _PROGRAMS.items():
        if driver and text(machine, name):
            programs[program] = {"rc": 0, "out": text(machine, name), "err": ""}
    programs.setdefault("nvidia_csv", ABSENT)
    return {
        **values,
        "texts": {
            "os_release": text(machine, "os-release"),
            "meminfo": text(machine, "meminfo"),
            "nvidia_driver": text(machine, "nvidia-version.txt") if driver else "",
        },
        "programs": programs,
        "pci": [_sysfs(device) for device in from_lspci(text(machine, "lspci.txt"))],
        "nvidia_nodes": values["nvidia_nodes"] if driver else [],
    }


def _sysfs(device: PciDevice) -> dict[str, str]:
    vendor, product = device.pci_id.split(":")
    card = device.subsystem.split(":") if device.subsystem else ["", ""]
    return {
        "address": device.address,
        "class": f"0x{device.kind}00",
        "vendor": f"0x{vendor}",
        "device": f"0x{product}",
        "subsystem_vendor": card[0] and f"0x{card[0]}",
        "subsystem_device": card[1] and f"0x{card[1]}",
        "driver": device.driver,
        "part_of": "",
    }
