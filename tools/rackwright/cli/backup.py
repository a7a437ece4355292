"""`rackwright backup`: back up, list, verify."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from rich.table import Table
from rich.text import Text

from rackwright.cli.options import inventory_option, json_option
from rackwright.cli.tables import console
from rackwright.operations.backup import ask


@click.group(invoke_without_command=True)
@inventory_option
@json_option
@click.option("--store", "stores", multiple=True, metavar="HOST/SERVICE", help="Only this store; repeatable.")
@click.option(
    "--type", "kind", type=click.Choice(["auto", "full", "diff", "incr"]), default="auto", show_default=True
)
@click.option(
    "--consistent", "point", metavar="NAME", help="Make a named point over all stores at one moment."
)
@click.pass_context
def command(
    ctx: click.Context,
    inventory: tuple[Path, ...],
    as_json: bool,
    stores: tuple[str, ...],
    kind: str,
    point: str | None,
) -> None:
    """Back the site up now; or list what there is, or verify it."""
    ctx.obj = {**(ctx.obj or {}), "inventory": inventory}
    if ctx.invoked_subcommand is not None:
        return
    if point is not None:
        if stores:
            raise click.UsageError("a point is over all stores: leave --store out")
        made = ask(inventory, ["point", point])
        if as_json:
            click.echo(json.dumps(made, indent=2))
        else:
            click.echo(
                f"point {made['name']}: {len(made['stores'])} stores,"
                f" writers waited {made['pause_seconds']:.1f} s\n"
                f"back to it: rackwright restore --point {made['name']}"
            )
        return
    found = ask(inventory, ["backup", "--type", kind, *stores])
    _show(found, as_json, ("store", "backup", "size", ""), _backed_up)


def _backed_up(entry: dict[str, Any]) -> list[str | Text]:
    if "failed" in entry:
        return [entry["store"], "", "", Text(f"FAILED: {entry['failed']}", style="bold red")]
    return [entry["store"], f"{entry['kind']} {entry['id']}", size(entry["size"]), Text("ok", style="green")]


@command.command("list")
@json_option
@click.pass_obj
def list_command(obj: dict[str, Any], as_json: bool) -> None:
    """List backups, named points, and how the jobs are."""
    found = ask(obj["inventory"], ["list"])
    if as_json:
        click.echo(json.dumps(found, indent=2))
        return
    table = _table("store", "when (UTC)", "kind", "name", "size")
    for entry in sorted(found["backups"], key=lambda entry: (entry["store"], entry["time"])):
        table.add_row(entry["store"], when(entry["time"]), entry["kind"], entry["id"], size(entry["size"]))
    console().print(table)
    for point in found["points"]:
        click.echo(f"point {point['name']}, {when(point['time'])}: {', '.join(point['stores'])}")
    for job in found["jobs"]:
        if not job["ok"]:
            console().print(Text(f"{job['name']} failed: {job['detail']}", style="bold red"))


@command.command("verify")
@json_option
@click.option("--store", "stores", multiple=True, metavar="HOST/SERVICE", help="Only this store; repeatable.")
@click.pass_obj
def verify_command(obj: dict[str, Any], as_json: bool, stores: tuple[str, ...]) -> None:
    """Read every backup, restore the newest apart, and compare; exit status 1 for a damaged one."""
    found = ask(obj["inventory"], ["verify", *stores])
    _show(found, as_json, ("store", "", "found"), _verified)


def _verified(entry: dict[str, Any]) -> list[str | Text]:
    mark = Text("ok", style="green") if entry["ok"] else Text("FAILED", style="bold red")
    return [entry["store"], mark, entry["detail"] + (f"\n{entry['hint']}" if entry["hint"] else "")]


def _show(found: list[dict[str, Any]], as_json: bool, columns: tuple[str, ...], row: Any) -> None:  # noqa: ANN401
    if as_json:
        click.echo(json.dumps(found, indent=2))
    else:
        table = _table(*columns)
        for entry in found:
            table.add_row(*row(entry))
        console().print(table)
    if any(entry.get("failed") or entry.get("ok") is False for entry in found):
        raise SystemExit(1)


def _table(*columns: str) -> Table:
    table = Table(box=None, padding=(0, 2), show_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold", justify="right" if column == "size" else "left")
    return table


def when(seconds: float) -> str:
    """Return a time of the backup host as people read it."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")


def size(count: float) -> str:
    """Return bytes in the largest unit that fits."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:  # noqa: PLR2004 - decimal units
            return f"{count:.0f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"
