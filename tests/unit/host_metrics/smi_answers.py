"""What `nvidia-smi --query-gpu` says of cards of which the whole record (`-q -x`) was kept."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from pathlib import Path

from rackwright.host_metrics.gpu import FIELDS

# Where the record has what a field asks for; drivers up to 525 and from 570 on call the power otherwise.
_PLACES = {
    "uuid": ("uuid",),
    "name": ("product_name",),
    "memory.used": ("fb_memory_usage/used",),
    "memory.free": ("fb_memory_usage/free",),
    "temperature.gpu": ("temperature/gpu_temp",),
    "utilization.gpu": ("utilization/gpu_util",),
    "power.draw": (
        "gpu_power_readings/average_power_draw",
        "gpu_power_readings/power_draw",
        "power_readings/power_draw",
    ),
}


def answered(*records: Path) -> str:
    """Return the table, one line for each card of the records, numbered in their order."""
    cards = [card for record in records for card in ET.parse(record).findall("gpu")]  # noqa: S314 - ours
    lines = []
    for number, card in enumerate(cards):
        row = {field: _told(card, places) for field, places in _PLACES.items()}
        row |= {"index": str(number), "pci.bus_id": card.attrib["id"]}
        lines.append(", ".join(row[field] for field in (*FIELDS, "pci.bus_id")))
    return "\n".join(lines) + "\n"


def _told(card: ET.Element, places: tuple[str, ...]) -> str:
    found = next((text for place in places if (text := card.findtext(place))), "[N/A]")
    return re.sub(r" (MiB|C|%|W)$", "", found)
