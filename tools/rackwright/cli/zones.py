"""`rackwright zones`: whether the zones hold, tried on the site itself."""

from __future__ import annotations

import json
from pathlib import Path

import click

from rackwright.cli.options import inventory_option, json_option
from rackwright.cli.tables import console


@click.group()
def zones() -> None:
    """Say whether the zones hold."""


@zones.command("test")
@inventory_option
@json_option
@click.option("--html", type=click.Path(dir_okay=False, path_type=Path), help="Also write a page.")
@click.option("--timeout", type=click.FloatRange(0.2, 30), default=2.0, help="Seconds for one connection.")
def test(inventory: tuple[Path, ...], as_json: bool, html: Path | None, timeout: float) -> None:
    """Connect from every host to every port of every other; exit status 1 when one is not as declared."""
    from rackwright.zones.report import as_dict, as_html, as_table, sentence, summary  # noqa: PLC0415
    from rackwright.zones.run import try_zones  # noqa: PLC0415 - with Ansible: slow to import

    matrix = try_zones(inventory, timeout)
    if html is not None:
        html.write_text(as_html(matrix), encoding="utf-8")
    if as_json:
        click.echo(json.dumps(as_dict(matrix), indent=2))
    else:
        out = console()
        out.print(as_table(matrix))
        for probe in (*matrix.wrong, *matrix.silent):
            out.print(sentence(probe))
        out.print(summary(matrix), style="green" if matrix.passed else "bold red")
    if not matrix.passed:
        raise SystemExit(1)
