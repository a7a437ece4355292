"""`rackwright health`: how every service of a site is."""

from __future__ import annotations

import json
from pathlib import Path

import click

from rackwright.cli.options import inventory_option, json_option
from rackwright.cli.tables import console
from rackwright.operations.health import as_table, health, to_json


@click.command()
@inventory_option
@json_option
def command(inventory: tuple[Path, ...], as_json: bool) -> None:
    """Ask every service through its own interface; exit status 1 when one is not well."""
    found, _run = health(inventory)
    if as_json:
        click.echo(json.dumps(to_json(found), indent=2))
    else:
        console().print(as_table(found))
    if not all(entry.ok for entry in found):
        raise SystemExit(1)
