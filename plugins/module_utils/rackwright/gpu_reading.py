"""Reads `nvidia-smi -q -x`, the kernel's log of GPU errors, and what systemd lets containers do."""

from __future__ import annotations

import re
from typing import Any
from xml.etree import ElementTree as ET

_XID = re.compile(r"NVRM: Xid \((?:PCI:)?(?P<address>[0-9a-fA-F:.]+)\):\s*(?P<code>\d+)")
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
_ALLOWED = re.compile(r"/dev/nvidia(?:ctl|\d+)|char-nvidia\S*|/dev/char/195:\d+")
# Below each of these names the driver counts errors that it could not mend.
_UNCORRECTABLE = (
    "sram_uncorrectable",
    "sram_uncorrectable_parity",
    "sram_uncorrectable_secded",
    "dram_uncorrectable",
)


class UnreadableError(Exception):
    """The text is no answer of nvidia-smi."""


def number(text: str | None) -> float | None:
    """Return the number that a text begins with (`27 C`, `81920 MiB`, `16x`); None for `N/A`."""
    match = _NUMBER.match((text or "").strip())
    return float(match[0]) if match else None


def address(text: str) -> str:
    """Return a PCI address in the kernel's form: 00000000:3B:00.0 is 0000:3b:00.0."""
    domain, _, rest = text.strip().lower().partition(":")
    bus = rest if "." in rest else f"{rest}.0"
    return f"{domain[-4:].rjust(4, '0')}:{bus}"


def gpus(document: str) -> dict[str, Any]:
    """Return the driver's version, CUDA's, and what is said of each GPU.

    Raises:
        UnreadableError: It is no such document.
    """
    try:
        root = ET.fromstring(document)  # noqa: S314 - the host's own driver wrote it
    except ET.ParseError as error:
        raise UnreadableError(f"nvidia-smi -q -x did not answer in XML: {error}") from error
    if root.tag != "nvidia_smi_log":
        raise UnreadableError(f"nvidia-smi -q -x answered with <{root.tag}>")
    return {
        "driver": root.findtext("driver_version", ""),
        "cuda": root.findtext("cuda_version", ""),
        "gpus": [_gpu(element) for element in root.findall("gpu")],
    }


def _gpu(gpu: ET.Element) -> dict[str, Any]:
    def text(path: str) -> str:
        return (gpu.findtext(path) or "").strip()

    device = text("pci/pci_device_id").lower()
    slow = number(text("temperature/gpu_temp_slow_threshold"))
    return {
        "pci_address": address(gpu.get("id") or text("pci/pci_bus_id")),
        "pci_id": f"{device[4:]}:{device[:4]}" if len(device) == 8 else "",  # noqa: PLR2004 - two words of 16 bits
        "model": text("product_name"),
        "uuid": text("uuid"),
        "vram_mb": int(number(text("fb_memory_usage/total")) or 0),
        "persistence": text("persistence_mode"),
        "mig": (text("mig_mode/current_mig"), text("mig_mode/pending_mig")),
        "temperature_c": number(text("temperature/gpu_temp")),
        "slow_at_c": slow,
        # Newer drivers say how far it is to the throttling point, not where that is.
        "margin_c": number(text("temperature/gpu_temp_tlimit")),
        "width": number(text("pci/pci_gpu_link_info/link_widths/current_link_width")),
        "max_width": number(text("pci/pci_gpu_link_info/link_widths/max_link_width")),
        "generation": number(text("pci/pci_gpu_link_info/pcie_gen/current_link_gen")),
        "max_generation": number(text("pci/pci_gpu_link_info/pcie_gen/max_link_gen")),
        "replays": number(text("pci/replay_counter")),
        "ecc_mode": text("ecc_mode/current_ecc"),
        "ecc_volatile": _uncorrectable(gpu, "volatile"),
        "ecc_aggregate": _uncorrectable(gpu, "aggregate"),
        "retirement_pending": text("retired_pages/pending_retirement"),
        "rows_pending": text("remapped_rows/remapped_row_pending"),
        "rows_failed": text("remapped_rows/remapped_row_failure"),
        # Drivers from 575 on: memory that nothing mends, and repairs that wait for a reset.
        "unrepairable": text("ecc_errors/unrepairable_memory"),
        "repair_pending": "Yes"
        in {text("ecc_errors/channel_repair_pending"), text("ecc_errors/tpc_repair_pending")},
        "recovery": text("gpu_recovery_action"),
        "reset_required": text("gpu_reset_status/reset_required"),
        "slowdowns": _slowdowns(gpu),
        "utilisation_percent": number(text("utilization/gpu_util")),
        "clock_mhz": number(text("clocks/sm_clock")),
        "fabric": (text("fabric/state"), text("fabric/status")),
        "power_w": number(
            text("gpu_power_readings/instant_power_draw")
            or text("gpu_power_readings/power_draw")
            or text("power_readings/power_draw")
        ),
    }


def _uncorrectable(gpu: ET.Element, kind: str) -> int | None:
    """Add up what could not be mended; None where the card does not count."""
    counts = []
    for place in gpu.findall(f"ecc_errors/{kind}"):
        double = place.find("double_bit")
        if double is not None:
            counts.append(number(double.findtext("total")))
            continue
        counts += [number(place.findtext(name)) for name in _UNCORRECTABLE]
    known = [count for count in counts if count is not None]
    return int(sum(known)) if known else None


def _slowdowns(gpu: ET.Element) -> list[str]:
    """Return which brakes of the hardware are on."""
    found = []
    for parent in ("clocks_event_reasons", "clocks_throttle_reasons"):
        for name in ("hw_slowdown", "hw_thermal_slowdown", "hw_power_brake_slowdown", "sw_thermal_slowdown"):
            prefix = parent.removesuffix("s")
            if (gpu.findtext(f"{parent}/{prefix}_{name}") or "").strip() == "Active":
                found.append(name)
    return found


def xids(log: str) -> list[dict[str, Any]]:
    """Return the GPU errors of the kernel's log: address, code and how often."""
    counted: dict[tuple[str, int], int] = {}
    for match in _XID.finditer(log):
        key = (address(match["address"]), int(match["code"]))
        counted[key] = counted.get(key, 0) + 1
    return [{"pci_address": place, "code": code, "times": times} for (place, code), times in counted.items()]


def allowed_gpus(shown: str) -> bool:
    """Whether systemd's own list of a container's devices (DeviceAllow) holds a GPU."""
    return bool(_ALLOWED.search(shown))
