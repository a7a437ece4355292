"""`rackwright size`: how each host is shared out, and why each number is what it is."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import click
from rich.table import Table

from rackwright.cli.options import inventory_option, json_option
from rackwright.cli.tables import console
from rackwright.sizing.explained import Explained, Scalar
from rackwright.sizing.report import HostReport, size_site


@click.command()
@inventory_option
@json_option
@click.option("--explain", is_flag=True, help="Say of each number how it came about.")
@click.option("--memory-mb", type=int, help="Memory of hosts whose host_memory_mb is not set, in MB.")
@click.option("--cpus", type=int, help="Cores of hosts whose host_cpus is not set.")
def size(
    inventory: tuple[Path, ...], as_json: bool, explain: bool, memory_mb: int | None, cpus: int | None
) -> None:
    """Show how a site's hosts are shared out among their services; asks no host.

    Budgets come from the catalogue's weights and minimums, settings from the budgets.
    """
    from rackwright.site.inventory import load_inventory  # noqa: PLC0415 - loads Ansible
    from rackwright.site.load import site_of  # noqa: PLC0415

    loaded = load_inventory(inventory)
    reports = size_site(loaded, site_of(loaded), memory_mb, cpus)
    if as_json:
        click.echo(json.dumps([report.as_dict() for report in reports], indent=2))
        return
    for report in reports:
        console().print(_table(report, explain))


def _table(report: HostReport, explain: bool) -> Table:
    title = f"{report.name}: {report.budget.memory_mb} MB, {report.budget.cpus} cores"
    table = Table(title=title, title_justify="left", title_style="bold")
    table.add_column("Service", style="bold")
    table.add_column("Setting", no_wrap=True)
    table.add_column("Value", justify="right", style="cyan")
    if explain:
        table.add_column("Rule", overflow="fold")
        table.add_column("From", overflow="fold", style="dim")
        table.add_column("Source", overflow="fold", style="dim")

    def add(service: str, name: str, value: str, item: Explained) -> None:
        reason = (item.rule, _inputs(item.inputs), item.source) if explain else ()
        table.add_row(service, name, value, *reason)

    reserve = report.budget.explanation["reserve_mb"]
    add("(system)", "reserve", reserve.text, reserve)
    for service in report.services:
        table.add_section()
        shown = service.name
        for name, item in service.budget.explanation.items():
            add(shown, name.removesuffix("_mb"), item.text, item)
            shown = ""
        for name, item in service.settings.items():
            add("", name, service.values[name], item)
    return table


def _inputs(inputs: Mapping[str, Scalar]) -> str:
    return ", ".join(f"{name} {value}" for name, value in inputs.items())
