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


def hardware_of(name: str, variables: Mapping[str, Any]) -> Hardware | None:
    """Return what a scan found of a host; None where there was none.

    Raises:
        RackwrightError: The scan's file is wrong.
    """
    facts = plain(variables.get("hardware"))
    if not facts:
        return None
    try:
        return _HARDWARE.validate_python(facts)
    except ValidationError as error:
        raise RackwrightError(
            f"hardware of {name}: {error.errors()[0]['loc']}: {error.errors()[0]['msg']}",
            hint="write it anew: rackwright scan",
        ) from error


def plan_of(name: str, variables: Mapping[str, Any]) -> DriverPlan | None:
    """Return the plan of a host by its variables; None where it was not scanned.

    Raises:
        RackwrightError: The scan's file is wrong.
    """
    hardware = hardware_of(name, variables)
    if hardware is None:
        return None
    return choose_driver(
        hardware,
        wishes_of(variables),
        load_compatibility(variables["compatibility"]),
        _running(hardware),
        load_sources(variables["driver_sources"]),
    )


def site_plans(inventories: Sequence[Path]) -> dict[str, DriverPlan]:
    """Return the plan of every host that was scanned, by name.

    Raises:
        RackwrightError: No host was scanned, or a scan's file is wrong.
    """
    hosts = load_inventory(inventories).hosts
    plans = {name: plan for name, host in hosts.items() if (plan := plan_of(name, host.variables))}
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
