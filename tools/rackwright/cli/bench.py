"""`rackwright bench`: how fast the toolkit is beside a plain script."""

from __future__ import annotations

import json
import os
from pathlib import Path

import click
from rich.console import Console

from rackwright.bench import backup, bundle, converge, edge, nochange, pgbench, preflight, streams, watching
from rackwright.bench.measure import Comparison
from rackwright.bench.measure import as_json as to_json
from rackwright.bench.report import as_table, is_busy, machine, speedup_table, throughput_table
from rackwright.cli.options import inventory_option, json_option
from rackwright.cli.tables import console
from rackwright.lab.progress import Board


@click.command("bench")
@click.argument(
    "which",
    type=click.Choice(
        [
            "converge",
            "nochange",
            "preflight",
            "pgbench",
            "backup",
            "bundle",
            "watching",
            "edge",
            "streams",
            "all",
        ]
    ),
    default="all",
)
@click.option(
    "--rounds",
    type=click.IntRange(min=1),
    help=f"How often each side is timed.  [default: converge {converge.ROUNDS}, nochange {nochange.ROUNDS}, "
    f"preflight {preflight.ROUNDS}, pgbench {pgbench.ROUNDS}, backup {backup.ROUNDS}, "
    f"bundle {bundle.ROUNDS}, edge {edge.ROUNDS}]",
)
@click.option("--keep", is_flag=True, help="Keep the lab that converge makes for itself.")
@click.option(
    "--seconds",
    type=click.IntRange(min=1),
    default=pgbench.SECONDS,
    show_default=True,
    help="Length of a sample of pgbench.",
)
@click.option(
    "--memory-mb",
    type=click.IntRange(min=256),
    default=pgbench.MEMORY_MB,
    show_default=True,
    help="Budget in MB that pgbench's tuned server is sized for.",
)
@click.option(
    "--size-mb",
    type=click.IntRange(min=16),
    default=backup.SIZE_MB,
    show_default=True,
    help="Size in MB of the database that is backed up.",
)
@click.option(
    "--directory",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Where clusters are made, on the disk to measure.  [default: that of temporary files]",
)
@inventory_option
@json_option
def bench(
    which: str,
    rounds: int | None,
    keep: bool,
    seconds: int,
    memory_mb: int,
    size_mb: int,
    directory: Path | None,
    inventory: tuple[Path, ...],
    as_json: bool,
) -> None:
    """Compare with plain shell scripts, the tuned PostgreSQL with Debian's default, backups with dumps.

    converge makes machines of its own; nochange runs on the lab of the inventory, which must be up and
    converged, as do edge (what it costs beside the app alone) and streams (what one worker holds open);
    preflight looks at fifty names of that lab's machines; pgbench and backup make clusters on
    this machine and remove them. The exit status is 1 when an aim is missed.
    """
    about = machine()
    errors = Console(stderr=True, highlight=False)
    if is_busy(os.getloadavg()[0], os.cpu_count() or 1):
        errors.print(f"[yellow]This machine is busy (load {about['load']}): the figures will say little.[/]")
    throughputs: list[pgbench.Throughput] = []
    with Board(errors) as board:
        comparisons = _compared(which, inventory, rounds, board, keep=keep)
        if which in {"pgbench", "all"}:
            throughputs = pgbench.bench_pgbench(
                rounds or pgbench.ROUNDS, board, seconds=seconds, memory_mb=memory_mb, parent=directory
            )
        speedups = _against_scripts(which, rounds, board, size_mb, directory)
        overheads = _watched(which, inventory, board)
        edges = [edge.bench_edge(inventory, rounds or edge.ROUNDS, board)] if which in {"edge", "all"} else []
        held = [streams.bench_streams(inventory, board)] if which in {"streams", "all"} else []
    if as_json:
        told = to_json(comparisons, about) | {
            "pgbench": [entry.as_dict() for entry in throughputs],
            "backup": [entry.as_dict() for entry in speedups if entry.name != "bundle"],
            "bundle": [entry.as_dict() for entry in speedups if entry.name == "bundle"],
            "watching": [entry.as_dict() for entry in overheads],
            "edge": [entry.as_dict() for entry in edges],
            "streams": [entry.as_dict() for entry in held],
        }
        click.echo(json.dumps(told, indent=2))
    else:
        tables = [
            *([as_table(comparisons)] if comparisons else []),
            *([throughput_table(throughputs)] if throughputs else []),
            *([speedup_table(speedups)] if speedups else []),
            *(watching.overhead_table(entry) for entry in overheads),
            *(edge.edge_table(entry) for entry in edges),
            *(streams.streams_table(entry) for entry in held),
        ]
        for table in tables:
            console().print(table)
        for note in [note for entry in comparisons for note in entry.notes] + [
            note for entry in speedups for note in entry.notes
        ]:
            console().print(f"note: {note}")
    met = [
        *(entry.met for entry in comparisons),
        *(entry.met for entry in throughputs),
        *(entry.met for entry in speedups),
        *(entry.met for entry in overheads),
        *(entry.met for entry in edges),
        *(entry.met for entry in held),
    ]
    if not all(met):
        raise SystemExit(1)


def _compared(
    which: str, inventory: tuple[Path, ...], rounds: int | None, board: Board, *, keep: bool
) -> list[Comparison]:
    """Run the comparisons with plain scripts that were asked for."""
    found = []
    if which in {"converge", "all"}:
        found.append(converge.bench_converge(rounds or converge.ROUNDS, board, keep=keep))
    if which in {"nochange", "all"}:
        found.append(nochange.bench_nochange(inventory, rounds or nochange.ROUNDS, board))
    if which in {"preflight", "all"}:
        found.append(preflight.bench_preflight(inventory, rounds or preflight.ROUNDS, board))
    return found


def _against_scripts(
    which: str, rounds: int | None, board: Board, size_mb: int, directory: Path | None
) -> list[backup.Speedup]:
    """Run what is to be several times as fast as the usual way, as far as it was asked for."""
    found: list[backup.Speedup] = []
    if which in {"backup", "all"}:
        found += backup.bench_backup(rounds or backup.ROUNDS, board, size_mb=size_mb, parent=directory)
    if which in {"bundle", "all"}:
        found += bundle.bench_bundle(rounds or bundle.ROUNDS, board)
    return found


def _watched(which: str, inventory: tuple[Path, ...], board: Board) -> list[watching.Overhead]:
    """Measure what being watched takes, when that was asked for."""
    return [watching.bench_watching(inventory, board)] if which in {"watching", "all"} else []
