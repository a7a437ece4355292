"""`rackwright welcome`: where to look, once a site stands."""

from __future__ import annotations

from pathlib import Path

import click
from rich.panel import Panel

from rackwright.cli.options import inventory_option
from rackwright.cli.tables import console
from rackwright.operations.health import health
from rackwright.operations.status_view import as_table
from rackwright.operations.welcome import welcome_text


@click.command()
@inventory_option
def command(inventory: tuple[Path, ...]) -> None:
    """Say where the platform is, how to get a token and ask it something, and how every service is."""
    out = console()
    found, _run = health(inventory)
    out.print(as_table(found))
    out.print(Panel(welcome_text(inventory), title="Your private AI platform", expand=False, highlight=False))
    if not all(entry.ok for entry in found):
        raise SystemExit(1)
