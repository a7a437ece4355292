"""`rackwright cost`: what a private platform costs beside a rented model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.table import Table

from rackwright.cli.options import INVENTORY_VARIABLE, json_option
from rackwright.cli.tables import console

if TYPE_CHECKING:
    from decimal import Decimal

    from rackwright.cost.model import Part, Reckoning

_FLAGS = {
    "dialogues_per_day": (int, "Questions with their answers, a day."),
    "tokens_in": (int, "Tokens sent for one of them."),
    "tokens_out": (int, "Tokens answered."),
    "cloud_input_per_million": (str, "Price of a million tokens sent."),
    "cloud_output_per_million": (str, "Price of a million tokens answered."),
    "cloud_monthly": (str, "What a cloud costs a month in any case."),
    "hardware": (str, "Price of the hardware."),
    "years": (str, "For how long it is used."),
    "monthly": (str, "Running costs a month, apart from people."),
    "watts": (str, "Mean draw of all machines, cooling included."),
    "power_price_kwh": (str, "Price of a kWh."),
    "staff_share": (str, "People who run it, e.g. 0.5."),
    "staff_monthly_pay": (str, "What one costs a month."),
    "currency": (str, "ISO code of all amounts."),
}


def _flags(command: click.Command) -> click.Command:
    for name, (kind, text) in _FLAGS.items():
        option = click.Option([f"--{name.replace('_', '-')}", name], type=kind, help=text)
        command.params.append(option)
    return command


@_flags
@click.command("cost")
@click.option(
    "-i",
    "--inventory",
    multiple=True,
    envvar=INVENTORY_VARIABLE,
    type=click.Path(exists=True, path_type=Path, resolve_path=True),
    help="Inventory of a site; repeatable. Without one the project's defaults count.",
)
@json_option
@click.option("--tier", help="Hardware and running costs of this tier, instead of the site's.")
@click.option("--html", type=click.Path(dir_okay=False, path_type=Path), help="Write a page with the chart.")
@click.option("--svg", type=click.Path(dir_okay=False, path_type=Path), help="Write the chart alone.")
def command(
    inventory: tuple[Path, ...],
    as_json: bool,
    tier: str | None,
    html: Path | None,
    svg: Path | None,
    **flags: int | str | None,
) -> None:
    """Compare what a site's own platform costs with a rented model, month by month; asks no host."""
    from rackwright.cost.make import default_inputs, site_inputs  # noqa: PLC0415 - with pydantic and tiers
    from rackwright.cost.model import reckon  # noqa: PLC0415
    from rackwright.cost.report import as_dict  # noqa: PLC0415
    from rackwright.cost.settings import parse_settings  # noqa: PLC0415

    given = parse_settings(
        "command line", {name: value for name, value in flags.items() if value is not None}
    )
    inputs = site_inputs(inventory, given, tier) if inventory else default_inputs(given, tier)
    reckoning = reckon(inputs)
    if html is not None:
        from rackwright.cost.page import cost_page  # noqa: PLC0415

        html.write_text(cost_page(reckoning), encoding="utf-8")
    if svg is not None:
        from rackwright.cost.chart import chart_svg  # noqa: PLC0415

        svg.write_text(chart_svg(reckoning), encoding="utf-8")
    if as_json:
        click.echo(json.dumps(as_dict(reckoning), indent=2, ensure_ascii=False))
        return
    _print(reckoning)


def _print(reckoning: Reckoning) -> None:
    from rackwright.cost.report import sentences  # noqa: PLC0415

    inputs, out = reckoning.inputs, console()
    tokens = f"{inputs.tokens_in} + {inputs.tokens_out} tokens"
    load = f"[bold]{inputs.dialogues_per_day:,} dialogues a day[/bold]"
    out.print(f"{load} of {tokens}; amounts in {inputs.currency}\n")
    table = Table(box=None, padding=(0, 2), show_edge=False)
    table.add_column("", no_wrap=True)
    for column in ("a month", "a year", "1,000 dialogues"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("from", style="dim", overflow="fold")
    _rows(table, reckoning, "cloud", reckoning.cloud, reckoning.cloud_monthly)
    _rows(table, reckoning, "private", reckoning.private, reckoning.private_monthly)
    out.print(table)
    out.print()
    for sentence in sentences(reckoning):
        out.print(sentence)


def _rows(table: Table, reckoning: Reckoning, title: str, parts: tuple[Part, ...], monthly: Decimal) -> None:
    from rackwright.cost.model import MONTHS  # noqa: PLC0415
    from rackwright.cost.report import CENT, money  # noqa: PLC0415

    def numbers(amount: Decimal) -> tuple[str, str, str]:
        return money(amount), money(amount * MONTHS), money(reckoning.per_thousand(amount), CENT)

    table.add_row(title, *numbers(monthly), "", style="bold")
    for part in parts:
        if part.monthly:
            table.add_row(f"  {part.name}", *numbers(part.monthly), part.rule)
