"""`rackwright report`: how a site is and how its week was, as one page for a meeting."""

from __future__ import annotations

import json
from pathlib import Path

import click

from rackwright.cli.options import inventory_option, json_option


@click.command()
@inventory_option
@json_option
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The page.  [default: report-<site>-<day>.html]",
)
@click.option(
    "--lang",
    "language",
    type=click.Choice(["en", "zh"]),
    default="en",
    show_default=True,
    help="Its language.",
)
@click.option("--days", type=click.IntRange(1, 90), default=7, show_default=True, help="How far back.")
def command(
    inventory: tuple[Path, ...], as_json: bool, output: Path | None, language: str, days: int
) -> None:
    """Write one page: services, alerts, trends, capacity, backups, last rehearsal and audit, topology.

    It changes nothing. What cannot be told is said to be absent, with the reason.
    """
    from rackwright.report.collect import collect  # noqa: PLC0415 - with Ansible: slow to import
    from rackwright.report.page import as_html, words_of  # noqa: PLC0415

    report = collect(inventory, days, words_of(language)["topology_note"])
    if as_json:
        click.echo(json.dumps(report.as_dict(), indent=2, ensure_ascii=False))
        return
    target = output or Path(f"report-{report.site}-{report.made_at[:10]}.html")
    target.write_text(as_html(report, language), encoding="utf-8")
    click.echo(f"The report: {target}")
