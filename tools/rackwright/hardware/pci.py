"""Devices on the PCI bus, from /sys or from the text of `lspci -nn`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from rackwright.hardware.reading import ReadingError

_DISPLAY = ("0300", "0302")
_BRIDGE = "0680"
_NVIDIA = "10de"
# Of the PCI ID database. NVSwitches of the fifth generation (B200) are behind network controllers and are no
# devices of this kind: the driver's fabric state tells of them.
_NVSWITCHES = ("10de:1af1", "10de:22a3")

_ADDRESS = r"(?:(?P<domain>[0-9a-f]{4,8}):)?(?P<rest>[0-9a-f]{2}:[0-9a-f]{2}\.[0-7])"
_START = re.compile(rf"^{_ADDRESS} ", re.IGNORECASE)
_DEVICE = re.compile(
    rf"^{_ADDRESS} .*?\[(?P<kind>[0-9a-f]{{4}})\]: (?P<name>.*) \[(?P<id>[0-9a-f]{{4}}:[0-9a-f]{{4}})\]"
    r"(?: \(rev [0-9a-f]+\))?(?: \(prog-if .*)?$",
    re.IGNORECASE,
)
_SUBSYSTEM = re.compile(r"^\s+Subsystem: .*\[(?P<id>[0-9a-f]{4}:[0-9a-f]{4})\]$", re.IGNORECASE)
_DRIVER = re.compile(r"^\s+Kernel driver in use: (?P<driver>\S+)$")


@dataclass(frozen=True)
class PciDevice:
    """A device.

    Attributes:
        address: `0000:3b:00.0`.
        kind: class of the device, four hexadecimal digits: 0300 VGA, 0302 3D, 0680 other bridge.
        pci_id: `10de:20b5`.
        subsystem: the card's own id, empty where nobody says.
        name: of the PCI ID database, without the vendor; empty from /sys.
        driver: kernel driver that is bound to it, empty for none.
        part_of: address of the device that it is a virtual function of, empty for a device itself.
    """

    address: str
    kind: str
    pci_id: str
    subsystem: str = ""
    name: str = ""
    driver: str = ""
    part_of: str = ""

    @property
    def is_gpu(self) -> bool:
        """Whether it is a GPU of NVIDIA."""
        return self.kind in _DISPLAY and self.pci_id.startswith(_NVIDIA) and not self.part_of

    @property
    def is_nvswitch(self) -> bool:
        """Whether it joins GPUs."""
        return self.kind == _BRIDGE and self.pci_id in _NVSWITCHES


def address_of(text: str) -> str:
    """Return an address in the kernel's form: nvidia-smi writes `00000000:3B:00.0`, lspci `3b:00.0`.

    Raises:
        ReadingError: it is no PCI address.
    """
    match = re.fullmatch(_ADDRESS, text, re.IGNORECASE)
    if not match:
        raise ReadingError("PCI address", f"`{text}` is none")
    domain = int(match["domain"] or "0", 16)
    return f"{domain:04x}:{match['rest'].lower()}"


def from_lspci(text: str) -> list[PciDevice]:
    """Read the text of `lspci -nn`, also with -D, -k or -v; lines of other devices and kinds are passed over.

    Raises:
        ReadingError: a display controller's line is cut off.
    """
    found: list[PciDevice] = []
    here = False
    for line in text.splitlines():
        if _START.match(line):
            device = _device(line)
            here = device is not None
            found += [device] if device else []
        elif here and (match := _SUBSYSTEM.match(line)):
            found[-1] = replace(found[-1], subsystem=match["id"].lower())
        elif here and (match := _DRIVER.match(line)):
            found[-1] = replace(found[-1], driver=match["driver"])
    return found


def _device(line: str) -> PciDevice | None:
    match = _DEVICE.match(line)
    if match is None:
        if re.search(r"(VGA compatible|3D) controller", line):
            raise ReadingError("lspci -nn", f"`{line}` is cut off, or -nn was left out: it has no ids")
        return None
    if match["kind"] not in (*_DISPLAY, _BRIDGE):
        return None
    return PciDevice(
        address=address_of(f"{match['domain'] or '0000'}:{match['rest']}"),
        kind=match["kind"].lower(),
        pci_id=match["id"].lower(),
        name=match["name"].removeprefix("NVIDIA Corporation").strip(),
    )


def from_sysfs(entries: Iterable[Mapping[str, str]]) -> list[PciDevice]:
    """Read what host_scan found under /sys/bus/pci/devices.

    Raises:
        ReadingError: an id is not as the kernel writes it.
    """
    return [
        PciDevice(
            address=address_of(entry["address"]),
            kind=_digits(entry["class"])[:4],
            pci_id=f"{_digits(entry['vendor'])}:{_digits(entry['device'])}",
            subsystem=_pair(entry.get("subsystem_vendor", ""), entry.get("subsystem_device", "")),
            driver=entry.get("driver", ""),
            part_of=entry.get("part_of", ""),
        )
        for entry in entries
    ]


def _digits(text: str) -> str:
    match = re.fullmatch(r"0x([0-9a-f]{4}(?:[0-9a-f]{2})?)", text.lower())
    if not match:
        raise ReadingError("/sys/bus/pci/devices", f"`{text}` is no id")
    return match[1]


def _pair(vendor: str, device: str) -> str:
    if not vendor or not device or int(vendor, 16) == 0:
        return ""
    return f"{_digits(vendor)}:{_digits(device)}"
