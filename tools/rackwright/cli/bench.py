"""`rackwright bench`: how fast the toolkit is beside a plain script."""

from __future__ import annotations

import json
import os
from pathlib import Path

import click
from rich.console import Console

from rackwright.bench import converge, nochange
from rackwright.bench.measure import as_json as to_json
from rackwright.bench.report import as_table, is_busy, machine
from rackwright.cli.options import inventory_option, json_option
from rackwright.cli.tables import console
from rackwright.lab.progress import Board


@click.command("bench")
@click.argument("which", type=click.Choice(["converge", "nochange", "all"]), default="all")
@click.option(
    "--rounds",
    type=click.IntRange(min=1),
    help=f"How often each side is timed.  [default: converge {converge.ROUNDS}, nochange {nochange.ROUNDS}]",
)
@click.option("--keep", is_flag=True, help="Keep the lab that converge makes for itself.")
@inventory_option
@json_option
def bench(which: str, rounds: int | None, keep: bool, inventory: tuple[Path, ...], as_json: bool) -> None:
    """Compare with plain shell scripts: a first converge, and a run that changes nothing.

    converge makes machines of its own; nochange runs on the lab of the inventory, which must be up and
    converged. The exit status is 1 when an aim is missed.
    """
    about = machine()
    errors = Console(stderr=True, highlight=False)
    if is_busy(os.getloadavg()[0], os.cpu_count() or 1):
        errors.print(f"[yellow]This machine is busy (load {about['load']}): the figures will say little.[/]")
    comparisons = []
    with Board(errors) as board:
        if which in {"converge", "all"}:
            comparisons.append(converge.bench_converge(rounds or converge.ROUNDS, board, keep=keep))
        if which in {"nochange", "all"}:
            comparisons.append(nochange.bench_nochange(inventory, rounds or nochange.ROUNDS, board))
    if as_json:
        click.echo(json.dumps(to_json(comparisons, about), indent=2))
    else:
        console().print(as_table(comparisons))
        for note in (note for comparison in comparisons for note in comparison.notes):
            console().print(f"note: {note}")
    if not all(comparison.met for comparison in comparisons):
        raise SystemExit(1)
