"""`rackwright audit`: what an auditor would find on the site, and a report for them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from rackwright.cli.options import inventory_option, json_option
from rackwright.cli.tables import console

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rackwright.audit.model import Audit, Item, Status

_STYLES = {"pass": "green", "warn": "yellow", "fail": "bold red", "none": "dim"}


@click.command("audit")
@inventory_option
@json_option
@click.option(
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    help="Directory for the report: audit.json, and audit.<language>.html and .md in English and Chinese.",
)
@click.option("--no-zones", is_flag=True, help="Do not try every connection between hosts.")
def command(inventory: tuple[Path, ...], as_json: bool, output: Path | None, no_zones: bool) -> None:
    """Look at every host as an auditor does; exit status 1 when something is not met.

    Installs Lynis on the hosts and testssl.sh on the edge, from the site's package source.
    """
    from rackwright.audit.last import keep  # noqa: PLC0415 - with Ansible: slow to import
    from rackwright.audit.report import as_dict  # noqa: PLC0415
    from rackwright.audit.run import audit  # noqa: PLC0415

    found = audit(inventory, zones=not no_zones)
    keep(found)
    if output is not None:
        _write(found, output)
    if as_json:
        click.echo(json.dumps(as_dict(found), indent=2, ensure_ascii=False))
    else:
        _print(found)
    if not found.passed:
        raise SystemExit(1)


def _write(found: Audit, output: Path) -> None:
    from rackwright.audit.model import LANGUAGES  # noqa: PLC0415
    from rackwright.audit.report import as_dict, as_html, as_markdown  # noqa: PLC0415

    output.mkdir(parents=True, exist_ok=True)
    text = json.dumps(as_dict(found), indent=2, ensure_ascii=False)
    (output / "audit.json").write_text(text, encoding="utf-8")
    for language in LANGUAGES:
        (output / f"audit.{language}.html").write_text(as_html(found, language), encoding="utf-8")
        (output / f"audit.{language}.md").write_text(as_markdown(found, language), encoding="utf-8")


def _print(found: Audit) -> None:
    from rich.text import Text  # noqa: PLC0415

    from rackwright.audit.model import data  # noqa: PLC0415
    from rackwright.audit.report import summary, words_of  # noqa: PLC0415

    out, words = console(), words_of("en")
    for name, title in data()["checks"].items():
        status = found.status([name])
        out.print(Text(f"{words[status]:10}", style=_STYLES[status]) + Text(f"{title['en']}"))
        for line, style in _lines(found.of(name)):
            out.print(Text(f"{'':10}{line}", style=style))
    counts = summary(found)
    out.print(f"\naudit: {counts['pass']} met, {counts['fail']} not met, {counts['warn']} to look at")


def _lines(items: Sequence[Item]) -> Iterator[tuple[str, str]]:
    """Yield everything but what is met, with its style; what several hosts say alike is one line."""
    hosts: dict[tuple[Status, str], list[str]] = {}
    for item in items:
        if item.status != "pass":
            hosts.setdefault((item.status, item.detail["en"]), []).append(item.host)
    for (status, text), names in hosts.items():
        where = ", ".join(filter(None, names))
        yield (f"{where}: {text}" if where else text), _STYLES[status]
