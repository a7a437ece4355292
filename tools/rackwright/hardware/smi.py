"""What nvidia-smi prints: GPUs (CSV and XML), how they are joined, the driver's version."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping
from dataclasses import dataclass
from xml.etree import ElementTree as ET

from rackwright.hardware.pci import address_of
from rackwright.hardware.reading import ReadingError

_CSV = "nvidia-smi --query-gpu"
_XML = "nvidia-smi -q -x"
_TOPOLOGY = "nvidia-smi topo -m"
_LINKS = {"X", "SYS", "NODE", "PHB", "PXB", "PIX", "PSB", "C2C"}
_NEEDED = ("pci.bus_id", "name", "memory.total", "driver_version")


@dataclass(frozen=True)
class SmiGpu:
    """A GPU as the driver knows it.

    Attributes:
        address: `0000:3b:00.0`.
        name: product name.
        vram_mb: memory in MiB; 0 where the driver does not say.
        driver: its version.
        pci_id: `10de:20b5`, empty where it was not asked.
        subsystem: the card's own id, empty where it was not asked.
        capability: compute capability, empty where it was not asked or the driver is too old to say.
        mig: whether it is partitioned; None where it cannot be.
        fabric: whether it is part of an NVSwitch fabric.
    """

    address: str
    name: str
    vram_mb: int
    driver: str
    pci_id: str = ""
    subsystem: str = ""
    capability: str = ""
    mig: bool | None = None
    fabric: bool = False


def from_csv(text: str) -> list[SmiGpu]:
    """Read `nvidia-smi --query-gpu=... --format=csv`, with its header.

    Raises:
        ReadingError: a needed column is missing, a line is cut off or a value is not of its kind.
    """
    rows = [row for row in csv.reader(io.StringIO(text), skipinitialspace=True) if row]
    header = [re.sub(r" \[.*\]$", "", cell.strip()) for cell in rows[0]] if rows else []
    missing = [name for name in _NEEDED if name not in header]
    if missing:
        raise ReadingError(_CSV, f"it has no column {', '.join(missing)}: `{text[:80].strip()}`")
    if text and not text.endswith("\n"):
        raise ReadingError(_CSV, f"the last line is cut off: `{text.splitlines()[-1]}`")
    return [_of_row(header, row) for row in rows[1:]]


def _of_row(header: list[str], row: list[str]) -> SmiGpu:
    if len(row) != len(header):
        raise ReadingError(_CSV, f"`{', '.join(row)}` has {len(row)} values of {len(header)}")
    values = {name: cell.strip() for name, cell in zip(header, row, strict=True)}
    return SmiGpu(
        address=address_of(values["pci.bus_id"]),
        name=values["name"],
        vram_mb=_mebibytes(_CSV, values["memory.total"]),
        driver=_known(values["driver_version"]),
        pci_id=_pci_id(values.get("pci.device_id", "")),
        subsystem=_pci_id(values.get("pci.sub_device_id", "")),
        capability=_known(values.get("compute_cap", "")),
        mig=_switch(values.get("mig.mode.current", "")),
    )


def from_xml(text: str) -> list[SmiGpu]:
    """Read `nvidia-smi -q -x`.

    Raises:
        ReadingError: it is cut off, no XML, or a GPU in it lacks what every GPU has.
    """
    try:
        root = ET.fromstring(text)  # noqa: S314 - expat itself bounds the expansion of entities
    except ET.ParseError as error:
        raise ReadingError(_XML, f"no whole XML: {error}") from error
    driver = _known(root.findtext("driver_version", ""))
    return [_of_element(gpu, driver) for gpu in root.findall("gpu")]


def _of_element(gpu: ET.Element, driver: str) -> SmiGpu:
    def told(path: str) -> str:
        return _known((gpu.findtext(path) or "").strip())

    memory = gpu.findtext("fb_memory_usage/total")
    if memory is None or not gpu.get("id"):
        raise ReadingError(_XML, f"GPU {gpu.get('id') or '?'} has no fb_memory_usage/total")
    return SmiGpu(
        address=address_of(gpu.get("id") or ""),
        name=told("product_name"),
        vram_mb=_mebibytes(_XML, memory.strip()),
        driver=driver,
        pci_id=_pci_id(told("pci/pci_device_id")),
        subsystem=_pci_id(told("pci/pci_sub_system_id")),
        mig=_switch(told("mig_mode/current_mig")),
        fabric=bool(told("fabric/state")),
    )


def nvlinks(text: str) -> dict[int, list[int]]:
    """Read `nvidia-smi topo -m`: for each GPU, by its number, those that it reaches by NVLink.

    Raises:
        ReadingError: the matrix is cut off or has a kind of connection that is not known.
    """
    # The header is underlined where nvidia-smi takes its output for a terminal.
    lines = [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in text.splitlines()]
    header = next((line.split() for line in lines if re.match(r"\s*GPU0\s+(GPU1|CPU|NIC|mlx)", line)), None)
    if header is None:
        raise ReadingError(_TOPOLOGY, "it has no header of GPUs")
    count = len([name for name in header if re.fullmatch(r"GPU\d+", name)])
    found: dict[int, list[int]] = {}
    for line in lines[lines.index(next(line for line in lines if line.split() == header)) + 1 :]:
        cells = line.split()
        if not cells or not re.fullmatch(r"GPU\d+", cells[0]):
            continue
        links = cells[1 : count + 1]
        strange = [cell for cell in links if cell not in _LINKS and not re.fullmatch(r"NV\d+", cell)]
        if strange or len(links) != count:
            raise ReadingError(_TOPOLOGY, f"`{line.strip()}` is cut off or has an unknown connection")
        found[int(cells[0][3:])] = [number for number, cell in enumerate(links) if cell.startswith("NV")]
    if len(found) != count:
        raise ReadingError(_TOPOLOGY, f"it has {len(found)} lines for {count} GPUs")
    return found


def active_links(text: str) -> dict[int, int]:
    """Read `nvidia-smi nvlink -s`: for each GPU, by its number, how many of its links are up."""
    found: dict[int, int] = {}
    number = None
    for line in text.splitlines():
        if match := re.match(r"GPU (\d+): ", line):
            number = int(match[1])
            found[number] = 0
        elif number is not None and re.match(r"\s+Link \d+: [\d.]+ GB/s", line):
            found[number] += 1
    return found


def driver_version(text: str) -> str:
    """Return the version that /proc/driver/nvidia/version tells; empty where there is no such file."""
    match = re.search(r"Kernel Module(?: for \S+)?\s+(\d+\.\d+(?:\.\d+)?)\s", text)
    return match[1] if match else ""


def _known(text: str) -> str:
    """Return a value; empty for what nvidia-smi writes where it has none: [N/A], N/A, [Unknown Error]."""
    return (
        "" if text.startswith("[") or text in {"N/A", "Requested functionality has been deprecated"} else text
    )


def _mebibytes(what: str, text: str) -> int:
    if text and not _known(text):
        return 0
    match = re.fullmatch(r"(\d+) MiB", text)
    if not match:
        raise ReadingError(what, f"`{text}` is no amount of memory in MiB")
    return int(match[1])


def _pci_id(text: str) -> str:
    """Turn device and vendor in one number, 0x20B210DE, into 10de:20b2."""
    match = re.fullmatch(r"(?:0x)?([0-9a-f]{4})([0-9a-f]{4})", text.lower())
    return f"{match[2]}:{match[1]}" if match else ""


def _switch(text: str) -> bool | None:
    states: Mapping[str, bool] = {"Enabled": True, "Disabled": False}
    return states.get(text)
