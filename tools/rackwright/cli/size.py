"""`rackwright size`: how each host is shared out, and why each number is what it is."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from rackwright.cli.options import inventory_option, json_option

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

    from rackwright.sizing.explained import Explained, Scalar
    from rackwright.sizing.host import HostSizing
    from rackwright.sizing.report import HostReport

# Numbers that a service is told under the same name as the part of the host that they are.
_REPEATED = frozenset({"memory_mb", "cpus"})


@click.command()
@inventory_option
@json_option
@click.option("--explain", is_flag=True, help="Say of each number how it came about.")
@click.option("--host", "only", multiple=True, help="Show this host alone; repeatable.")
@click.option("--memory-mb", type=int, help="Memory of hosts that nobody describes, in MB.")
@click.option("--cpus", type=int, help="Cores of hosts that nobody describes.")
def size(
    inventory: tuple[Path, ...],
    as_json: bool,
    explain: bool,
    only: tuple[str, ...],
    memory_mb: int | None,
    cpus: int | None,
) -> None:
    """Show how a site's hosts are shared out among their services; asks no host.

    What a host has comes from host_memory_mb and host_cpus of the inventory, else from its scan. Ends with 1
    where a host cannot be sized, and says what is missing.
    """
    from rackwright.errors import RackwrightError  # noqa: PLC0415 - starts fast without it
    from rackwright.site.inventory import load_inventory  # noqa: PLC0415 - loads Ansible
    from rackwright.site.load import site_of  # noqa: PLC0415
    from rackwright.sizing.report import size_site  # noqa: PLC0415

    loaded = load_inventory(inventory)
    site = site_of(loaded)
    unknown = [name for name in only if name not in site.hosts]
    if unknown:
        hosts = ", ".join(site.hosts)
        raise RackwrightError(f"--host {unknown[0]}: the site has no such host", hint=f"its hosts: {hosts}")
    reports = [
        report for report in size_site(loaded, site, memory_mb, cpus) if not only or report.name in only
    ]
    if as_json:
        click.echo(json.dumps([report.as_dict() for report in reports], indent=2))
    else:
        _print(reports, explain)
    problems = [report.problem for report in reports if report.problem is not None]
    if problems:
        hints = list(dict.fromkeys(problem.hint for problem in problems if problem.hint))
        raise RackwrightError(
            "; ".join(problem.message for problem in problems), "\n       ".join(hints) or None
        )


def _print(reports: list[HostReport], explain: bool) -> None:
    from rackwright.cli.tables import console  # noqa: PLC0415

    for report in reports:
        if report.sizing is not None:
            # Not the table's title, which would be folded to the table's width.
            console().print(_title(report.name, report.sizing), style="bold", markup=False)
            console().print(_table(report.sizing, explain))


def _title(name: str, sizing: HostSizing) -> str:
    machine = sizing.request.machine
    cores = f"{machine.cpus} core{'s' if machine.cpus > 1 else ''}"
    title = f"{name}: {machine.memory_mb} MB ({machine.source('memory_mb')}), {cores}"
    if machine.disk_gb is not None:
        title += f", {machine.disk_gb} GB of {machine.storage}"
    if machine.gpus:
        title += f", {len(machine.gpus)} x {machine.gpus[0].model}"
    return f"{title}; tier {sizing.request.intent.tier}"


def _table(sizing: HostSizing, explain: bool) -> Table:
    from rich.table import Table  # noqa: PLC0415

    table = Table()
    table.add_column("Service", style="bold", no_wrap=True)
    table.add_column("Setting", overflow="fold", max_width=32)
    table.add_column("Value", justify="right", style="cyan", no_wrap=True)
    if explain:
        table.add_column("Rule, what it was fed with, and who says so", overflow="fold")
    for service, rows in _sections(sizing):
        table.add_section()
        shown = service
        for setting, value, item in rows:
            reason = (_reason(item),) if explain else ()
            table.add_row(shown, setting, value, *reason)
            shown = ""
    return table


def _sections(sizing: HostSizing) -> Iterator[tuple[str, list[tuple[str, str, Explained]]]]:
    reserve = sizing.budget.explanation["reserve_mb"]
    yield "(system)", [("reserve", reserve.text, reserve)]
    for name, service in sizing.services.items():
        told = service.settings.parameters.values()
        parts = [(key, item.text, item) for key, item in service.parts.items() if item not in told]
        settings = [
            (key, _written(item, service.settings.values[key]), item)
            for key, item in service.settings.parameters.items()
            if not (key in _REPEATED and key in service.parts)
        ]
        if parts or settings:
            yield name, parts + settings
    kernel: Mapping[str, Explained] = {**sizing.kernel.network, **sizing.kernel.machine}
    yield "(kernel)", [(key, str(item.value), item) for key, item in kernel.items()]
    yield "(logs)", [(key, item.text, item) for key, item in sizing.logs.parameters.items()]


def _written(item: Explained, value: Scalar) -> str:
    """Return a setting as its program takes it; with its unit where that is not part of the value."""
    return item.text if value == item.value else str(value)


def _reason(item: Explained) -> Text:
    """Return rule, inputs and source in the order in which one asks for them."""
    from rich.text import Text  # noqa: PLC0415

    inputs = ", ".join(f"{name} {value}" for name, value in item.inputs.items())
    told = Text(item.rule)
    if inputs:
        told.append(f" [{inputs}]", style="cyan")
    return told.append(f" ({item.source})", style="dim")
