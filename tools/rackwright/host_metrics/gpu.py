"""GPUs as nvidia-smi sees them, named as NVIDIA's own exporter (DCGM) names them, so that either serves."""

from __future__ import annotations

import re

from rackwright.host_metrics.commands import run
from rackwright.host_metrics.exposition import Family

_NAMES = {
    "memory.used": ("DCGM_FI_DEV_FB_USED", "Memory in use (MiB)."),
    "memory.free": ("DCGM_FI_DEV_FB_FREE", "Memory free (MiB)."),
    "temperature.gpu": ("DCGM_FI_DEV_GPU_TEMP", "Temperature (degrees Celsius)."),
    "utilization.gpu": ("DCGM_FI_DEV_GPU_UTIL", "Part of the time in which it worked (percent)."),
    "power.draw": ("DCGM_FI_DEV_POWER_USAGE", "Power that it takes (watts)."),
}
# What is asked of nvidia-smi, beside the address.
FIELDS = ("index", "uuid", "name", *_NAMES)
# NVRM: Xid (PCI:0000:17:00): 79, pid=…, GPU has fallen off the bus.
_XID = re.compile(r"NVRM: Xid \(PCI:([0-9a-fA-F:.]+)\): (\d+)")


def gpus(expected: int) -> list[Family]:
    """Return what nvidia-smi says of each GPU, and the last Xid of each.

    Args:
        expected: How many the host's scan found.

    Raises:
        UnavailableError: nvidia-smi does not answer.
    """
    text = run(["nvidia-smi", f"--query-gpu={','.join(FIELDS)},pci.bus_id", "--format=csv,noheader,nounits"])
    log = run(["journalctl", "-kqb", "-o", "cat", "-g", "NVRM: Xid"], good=(0, 1))
    return [*read(text), *counted(text, expected), *xids(text, log)]


def read(text: str) -> list[Family]:
    """Return the families that a table of nvidia-smi holds; what a GPU does not tell is left out."""
    families = {field: Family(name, told) for field, (name, told) in _NAMES.items()}
    for row in _rows(text):
        for field, family in families.items():
            try:
                value = float(row[field])
            except ValueError:
                continue  # "[N/A]"
            family.set(value, gpu=row["index"], UUID=row["uuid"], modelName=row["name"])
    return list(families.values())


def counted(text: str, expected: int) -> list[Family]:
    """Return how many GPUs there are, and how many there should be."""
    there = Family("rackwright_gpu_count", "GPUs that the driver sees.")
    there.set(float(len(_rows(text))))
    wanted = Family("rackwright_gpu_expected", "GPUs that the host's scan found.")
    wanted.set(float(expected))
    return [there, wanted]


def xids(text: str, log: str) -> list[Family]:
    """Return the number of the last Xid of each GPU since the host started; 0 where there was none."""
    last = {_bus(place): float(number) for place, number in _XID.findall(log)}
    family = Family("DCGM_FI_DEV_XID_ERRORS", "Number of the last Xid error.")
    for row in _rows(text):
        family.set(last.get(_bus(row["bus"]), 0.0), gpu=row["index"], UUID=row["uuid"], modelName=row["name"])
    return [family]


def _rows(text: str) -> list[dict[str, str]]:
    names = (*FIELDS, "bus")
    lines = [[cell.strip() for cell in line.split(",")] for line in text.splitlines() if line.strip()]
    return [dict(zip(names, cells, strict=False)) for cells in lines if len(cells) == len(names)]


def _bus(place: str) -> str:
    """Return bus and device of a PCI address: nvidia-smi and the kernel write the rest in different ways."""
    return ":".join(re.split(r"[:.]", place.lower())[1:3])
