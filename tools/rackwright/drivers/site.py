"""The driver decision for every scanned host of a site, from its inventory alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError
from rich.table import Table
from rich.text import Text

from rackwright.compatibility.load import load_compatibility
from rackwright.compatibility.version import branch_of
from rackwright.drivers.choose import choose_driver
from rackwright.drivers.plan import DriverPlan, Running, Wishes
from rackwright.drivers.sources import load_sources
from rackwright.errors import RackwrightError
from rackwright.hardware.model import Hardware
from rackwright.site.inventory import load_inventory
from rackwright.site.plain import plain

_HARDWARE = TypeAdapter(Hardware)
_WISHES = ("branch", "flavour", "source", "repository", "engine", "engine_version", "kernel")


def wishes_of(variables: Mapping[str, Any]) -> Wishes:
    """Return what a host's variables ask of its driver (nvidia_driver_…)."""
    asked = {name: plain(variables.get(f"nvidia_driver_{name}")) for name in _WISHES}
    given: dict[str, Any] = {key: value for key, value in asked.items() if value not in {None, "", 0, "auto"}}
    return Wishes(**given)


def site_plans(inventories: Sequence[Path]) -> dict[str, DriverPlan]:
    """Return the plan of every host that was scanned, by name.

    Raises:
        RackwrightError: No host was scanned, or a scan's file is wrong.
    """
    plans: dict[str, DriverPlan] = {}
    for name, host in load_inventory(inventories).hosts.items():
        facts = plain(host.variables.get("hardware"))
        if not facts:
            continue
        try:
            hardware = _HARDWARE.validate_python(facts)
        except ValidationError as error:
            raise RackwrightError(
                f"hardware of {name}: {error.errors()[0]['loc']}: {error.errors()[0]['msg']}",
                hint="write it anew: rackwright scan",
            ) from error
        plans[name] = choose_driver(
            hardware,
            wishes_of(host.variables),
            load_compatibility(host.variables["compatibility"]),
            _running(hardware),
            load_sources(host.variables["driver_sources"]),
        )
    if not plans:
        raise RackwrightError("no host of this site was scanned", hint="run: rackwright scan")
    return plans


def _running(hardware: Hardware) -> Running:
    """Return what a scan knows of the driver: its version, not the flavour of its modules."""
    versions = sorted((gpu.driver for gpu in hardware.gpus if gpu.driver), key=branch_of)
    return Running(module="nvidia", version=versions[0]) if versions else Running()


def as_table(plans: Mapping[str, DriverPlan]) -> Table:
    """Return the plans for people."""
    table = Table(box=None, padding=(0, 2), show_edge=False)
    for column in ("host", "", "branch", "modules", "from", "restart"):
        table.add_column(column)
    table.add_column("why", overflow="fold")
    styles = {"refuse": "bold red", "install": "green", "keep": "green", "none": "dim"}
    for name, plan in plans.items():
        why = "\n".join(filter(None, (plan.reason, plan.hint, *plan.notes)))
        table.add_row(
            name,
            Text(plan.action, style=styles[plan.action]),
            str(plan.branch or ""),
            plan.flavour or "",
            plan.source or "",
            "yes" if plan.reboot else "no",
            why,
        )
    return table
