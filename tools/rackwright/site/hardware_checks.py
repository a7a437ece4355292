"""Checks of what the inventory says of its hosts' hardware."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from pydantic import TypeAdapter

from rackwright.catalogue.findings import Finding
from rackwright.catalogue.load import parse
from rackwright.errors import RackwrightError
from rackwright.site.inventory import Inventory

HINT = "`rackwright scan` writes the file anew; edit nothing in it by hand"


def hardware_findings(inventory: Inventory) -> Iterator[Finding]:
    """Yield hosts whose `hardware` is not what `rackwright scan` writes."""
    described = [
        name for name in inventory.members("platform") if "hardware" in inventory.hosts[name].variables
    ]
    if not described:
        return
    # Imported here: it builds on the site's variables.
    from rackwright.hardware.model import Hardware  # noqa: PLC0415

    adapter = TypeAdapter(Hardware)
    for name in described:
        findings: list[Finding] = []
        try:
            parse(adapter, "hardware", inventory.hosts[name].variables["hardware"], findings)
        except RackwrightError as error:
            yield Finding("hardware", "(unusable)", error.message, error.hint or HINT, f"host {name}")
        yield from (replace(finding, hint=HINT, where=f"host {name}") for finding in findings)
