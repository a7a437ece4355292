"""`rackwright restore`: bring stores back."""

from __future__ import annotations

import json
from pathlib import Path

import click
from rich.table import Table

from rackwright.cli.options import inventory_option, json_option
from rackwright.cli.tables import console
from rackwright.operations.backup import Restored, restore


@click.command()
@inventory_option
@json_option
@click.argument("stores", nargs=-1, metavar="[HOST/SERVICE]...")
@click.option("--time", "moment", metavar="WHEN", help="To a moment: 2026-01-31T14:05:00+08:00.")
@click.option("--point", metavar="NAME", help="To a named point (rackwright backup --consistent NAME).")
@click.option("--backup", "label", metavar="LABEL", help="To the end of one backup of a cluster.")
@click.option("--onto", metavar="HOST", help="Onto another host that keeps the same: one store.")
@click.option("--confirm", metavar="NAME", help="Overwrite: the store's name, or the site's for all stores.")
@click.option("--plan", "only_plan", is_flag=True, help="Only say what would be restored.")
def command(
    inventory: tuple[Path, ...],
    as_json: bool,
    stores: tuple[str, ...],
    moment: str | None,
    point: str | None,
    label: str | None,
    onto: str | None,
    confirm: str | None,
    only_plan: bool,
) -> None:
    """Bring stores back, all of them or those named: to the newest that there is, or to an earlier state."""
    targets = {"time": moment, "point": point, "backup": label}
    given = [f"{name}:{value}" for name, value in targets.items() if value is not None]
    if len(given) > 1:
        raise click.UsageError("--time, --point and --backup exclude each other")
    if onto and len(stores) != 1:
        raise click.UsageError("--onto takes one store: name it, as host/service")
    to = given[0] if given else "latest"
    done = restore(inventory, stores, to, confirm, only_plan=only_plan, onto=onto or "")
    if as_json:
        click.echo(json.dumps({**vars(done), "differences": done.differences}, indent=2))
    else:
        console().print(_table(done, only_plan))
    if done.differences:
        raise SystemExit(1)


def _table(done: Restored, only_plan: bool) -> Table:
    table = Table(box=None, padding=(0, 2), show_edge=False)
    for column in ("store", "from", "would come back" if only_plan else "came back"):
        table.add_column(column, overflow="fold")
    for entry in done.plan:
        if entry["kind"] == "postgresql":
            target = entry["target"] or "its newest moment"
            source, told = f"{entry['set']} to {target}", ""
            if done.clusters:
                cluster = done.clusters[done.onto or entry["host"]]
                took = ", ".join(f"{name} {seconds:.0f} s" for name, seconds in cluster["seconds"].items())
                exact = "as the manifest says" if cluster["compared"] else "counted"
                wrong = "; ".join(cluster["differences"])
                told = wrong or f"{cluster['rows']} rows, {exact}; {took}"
        else:
            source, stream = f"snapshot {entry['snapshot']}", done.streams.get(entry["store"])
            told = (
                ""
                if stream is None
                else ", ".join(f"{key} {value}" for key, value in stream.items() if key != "kind")
            )
        table.add_row(entry["store"], source, told)
    return table
