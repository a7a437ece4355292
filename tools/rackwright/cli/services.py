"""`rackwright services`: the catalogue as a table."""

from __future__ import annotations

import json
from pathlib import Path

import click
from rich.table import Table

from rackwright.cli.options import inventory_option, json_option
from rackwright.cli.tables import console


@click.command()
@inventory_option
@json_option
def services(inventory: tuple[Path, ...], as_json: bool) -> None:
    """List the services of the catalogue, where they run on a site, and who may call them."""
    from rackwright.catalogue.overview import overview  # noqa: PLC0415 - with Ansible: slow to import
    from rackwright.site.load import load_site  # noqa: PLC0415

    entries = overview(load_site(inventory))
    if as_json:
        click.echo(json.dumps([entry.as_dict() for entry in entries], indent=2, ensure_ascii=False))
        return
    table = Table(title="Services", title_justify="left", show_lines=True)
    for column in ("Service", "Group", "Hosts", "Ports and callers", "Health", "Metrics", "State"):
        table.add_column(column, overflow="fold")
    for entry in entries:
        table.add_row(
            entry.name,
            entry.group,
            "\n".join(entry.hosts),
            "\n".join(entry.ports),
            entry.health,
            entry.metrics,
            entry.state,
        )
    console().print(table)
