"""`rackwright logs`: lines of all hosts, from the site's log store."""

from __future__ import annotations

import json
import re
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from rackwright.cli.options import inventory_option
from rackwright.logs.search.question import Line, Question

_EVERY_SECONDS = 5
_COLOURS = {"emergency": "red", "alert": "red", "critical": "red", "error": "red", "warning": "yellow"}


class _Moment(click.ParamType[datetime]):
    """90s, 2h, 3d ago, or an ISO time."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:  # noqa: ANN401 - click's interface
        from rackwright.operations.logs import moment  # noqa: PLC0415 - with Ansible: slow to import

        try:
            return moment(str(value), datetime.now(UTC))
        except ValueError:
            self.fail(f"{value!r} is no time: write 15m, 2h, 3d, or 2026-11-27T06:30 (UTC)", param, ctx)


def _pattern(_ctx: click.Context, _param: click.Parameter, value: str) -> str:
    try:
        re.compile(value)
    except re.error as error:
        raise click.BadParameter(f"{value!r} is no regular expression: {error}") from None
    return value


@click.command("logs")
@inventory_option
@click.option("--service", "services", multiple=True, help="Of this service of the catalogue; repeatable.")
@click.option("--host", "hosts", multiple=True, help="Of this host; repeatable.")
@click.option(
    "--since", type=_Moment(), default="1h", show_default=True, help="15m, 2h, 3d ago, or an ISO time (UTC)."
)
@click.option("--until", type=_Moment(), help="Before this time, as --since; now when left out.")
@click.option(
    "--grep", default="", callback=_pattern, help="Lines with this regular expression; (?i) ignores case."
)
@click.option(
    "--limit", type=click.IntRange(1, 100_000), default=1000, show_default=True, help="The latest so many."
)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object a line.")
@click.option("--follow", is_flag=True, help="Go on with what is new, every five seconds.")
def command(
    inventory: tuple[Path, ...],
    services: tuple[str, ...],
    hosts: tuple[str, ...],
    since: datetime,
    until: datetime | None,
    grep: str,
    limit: int,
    as_json: bool,
    follow: bool,
) -> None:
    """Show lines that hosts have logged, in the order of their times (UTC); masked, each once."""
    from rackwright.operations import logs  # noqa: PLC0415 - with Ansible: slow to import

    question = Question(since, until, frozenset(hosts), frozenset(services), grep, limit)
    if follow:
        if until is not None:
            raise click.UsageError("--follow goes on for ever: leave --until out")
        for fresh in logs.follow(inventory, question):
            _print(fresh, as_json)
            time.sleep(_EVERY_SECONDS)
    lines, more = logs.found(inventory, question)
    _print(lines, as_json)
    if more:
        click.echo(f"these are the latest {limit}; for others: --since, --until, --grep, --limit", err=True)


def _print(lines: list[Line], as_json: bool) -> None:
    for line in lines:
        if as_json:
            click.echo(json.dumps(line, ensure_ascii=False))
            continue
        at = line["time"].replace("T", " ")[:23]
        level = line.get("level", "")
        click.echo(
            f"{at}  {line['host']}  {line['service']}  "
            + (f"{click.style(level, fg=_COLOURS[level])}  " if level in _COLOURS else "")
            + _shown(line["text"])
        )


def _shown(text: str) -> str:
    """Return a text without what would steer a terminal: anybody may write to a log."""
    return "".join(
        sign if sign.isprintable() or sign == "\t" else sign.encode("unicode_escape").decode()
        for sign in text
    )
