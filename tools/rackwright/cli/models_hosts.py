"""What the inference hosts of a site hold, for `rackwright models list` and `verify`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import click

from rackwright.cli.tables import console
from rackwright.models.hosts import HostModels, ask_hosts

_GIB = 2**30


def print_held(inventory: Sequence[Path], *, as_json: bool) -> None:
    """Print what each host holds."""
    found = ask_hosts(inventory)
    if as_json:
        click.echo(json.dumps([entry.as_dict() for entry in found], indent=2))
        return
    from rich.table import Table  # noqa: PLC0415 - slow to import

    table = Table(title="Models on the hosts", title_justify="left", title_style="bold")
    for column in ("Host", "Model", "Build", "GiB", "Licence"):
        table.add_column(column, overflow="fold", justify="right" if column == "GiB" else "left")
    for entry in found:
        if not entry.held:
            table.add_row(entry.host, "none", "", "", "")
        for build in entry.held:
            size = sum(int(each["size"]) for each in build["files"]) / _GIB
            row = (str(build["model"]), str(build["quantisation"]), f"{size:.1f}", str(build["licence"]))
            table.add_row(entry.host, *row)
    console().print(table)


def verify_hosts(inventory: Sequence[Path], *, mending: bool) -> int:
    """Have each host read all that it holds; return how many are damaged and were left so."""
    found: list[HostModels] = ask_hosts(inventory, verify=True, mend=mending)
    for entry in found:
        if entry.damaged:
            done = "fetched again" if mending else "damaged"
            click.echo(f"{entry.host}: {done}: {', '.join(entry.damaged)}")
        else:
            click.echo(f"{entry.host}: {len(entry.held)} builds are whole")
    return 0 if mending else sum(bool(entry.damaged) for entry in found)
