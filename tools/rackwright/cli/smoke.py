"""`rackwright smoke`: prove a site from a client's side."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click

from rackwright.cli.options import inventory_option, json_option
from rackwright.cli.tables import console
from rackwright.operations.smoke import as_table, smoke


@click.command()
@inventory_option
@json_option
def command(inventory: tuple[Path, ...], as_json: bool) -> None:
    """Ask a question from outside and check every promise on its way; exit status 1 when one is broken."""
    steps, run = smoke(inventory)
    ok = run.successful and all(step.ok for step in steps)
    if as_json:
        click.echo(json.dumps({"ok": ok, "steps": [asdict(step) for step in steps]}, indent=2))
    else:
        out = console()
        out.print(as_table(steps))
        skipped = sum(step.skipped for step in steps)
        failed = sum(not step.ok for step in steps)
        left_out = f", {skipped} left out" if skipped else ""
        out.print(f"\nsmoke tests: {len(steps) - skipped - failed} passed, {failed} failed{left_out}")
    if not ok:
        raise SystemExit(1)
