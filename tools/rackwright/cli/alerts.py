"""`rackwright alerts`: what is wrong now, silences, a test message."""

from __future__ import annotations

import getpass
import json
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import click
from rich.table import Table
from rich.text import Text

from rackwright.cli.options import inventory_option, json_option
from rackwright.cli.tables import console
from rackwright.operations import alerts as operations

_STYLES = {"critical": "bold red", "warning": "yellow", "info": "cyan"}


@click.group()
def command() -> None:
    """See what is wrong now, hold alerts back, send a test message."""


@command.command("list")
@inventory_option
@json_option
@click.option("--all", "everything", is_flag=True, help="Also the watchdog, which is always there.")
def list_command(inventory: tuple[Path, ...], as_json: bool, everything: bool) -> None:
    """List the alerts, the worst first; exit status 1 when one is critical and not silenced."""
    found = [alert for alert in operations.alerts(inventory) if everything or alert.severity != "none"]
    if as_json:
        click.echo(json.dumps([asdict(alert) for alert in found], indent=2, default=str))
    elif not found:
        click.echo("no alerts")
    else:
        console().print(_table(found))
    if any(alert.severity == "critical" and alert.state == "active" for alert in found):
        raise SystemExit(1)


@command.command("silence")
@inventory_option
@click.argument("label", nargs=-1)
@click.option("--hours", type=click.FloatRange(0.1, 24 * 30), default=2.0, show_default=True)
@click.option("--comment", default="", help="Why; others see it.")
@click.option("--end", "identity", metavar="ID", help="End this silence instead.")
def silence_command(
    inventory: tuple[Path, ...], label: tuple[str, ...], hours: float, comment: str, identity: str | None
) -> None:
    """Hold back alerts with all these labels (host=data1 service=redis); without any, list silences."""
    if identity is not None:
        operations.end_silence(inventory, identity)
        click.echo(f"{identity} has ended")
        return
    if not label:
        for entry in operations.silences(inventory):
            shown = " ".join(entry.matchers)
            until = f"{entry.until:%m-%d %H:%M} UTC"
            click.echo(f"{entry.id}  {shown}  until {until}  {entry.author}: {entry.comment}")
        return
    labels = dict(entry.partition("=")[::2] for entry in label)
    if not all(labels.values()):
        raise click.UsageError("write labels as name=value, such as host=data1")
    if not comment:
        raise click.UsageError("say why: --comment 'disk is being replaced'")
    made = operations.silence(inventory, labels, hours, getpass.getuser(), comment)
    click.echo(f"silenced for {hours:g} hours; to end it: rackwright alerts silence --end {made}")


@command.command("test")
@inventory_option
@click.option(
    "--severity", type=click.Choice(["critical", "warning", "info"]), default="warning", show_default=True
)
def test_command(inventory: tuple[Path, ...], severity: str) -> None:
    """Send a test message to whoever hears of this severity; it resolves by itself after two minutes."""
    operations.send_test(inventory, severity)
    click.echo("sent; receivers hear of it within the group's wait (alert_grouping)")


def _table(found: list[operations.Alert]) -> Table:
    table = Table(box=None, padding=(0, 2), show_edge=False)
    for column in ("severity", "alert", "where", "since"):
        table.add_column(column)
    table.add_column("what, and what to do first", overflow="fold")
    for alert in found:
        minutes = int((datetime.now(UTC) - alert.since).total_seconds() // 60)
        state = "" if alert.state == "active" else " (silenced)" if alert.silences else " (follows another)"
        notes = alert.annotations
        what = Text(f"{notes.get('summary', '')}\n", end="")
        what.append(f"$ {notes.get('command', '')}", style="dim")
        table.add_row(
            Text(f"{alert.severity}{state}", style=_STYLES.get(alert.severity, "")),
            alert.name,
            alert.labels.get("host") or alert.labels.get("zone", ""),
            f"{minutes // 60}:{minutes % 60:02d} h",
            what,
        )
    return table
