"""`rackwright health`: how every service of a site is."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from rackwright.cli.options import inventory_option, json_option
from rackwright.cli.tables import console

if TYPE_CHECKING:
    from rich.console import RenderableType

    from rackwright.operations.status import Status


@click.command()
@inventory_option
@json_option
@click.option("--watch", is_flag=True, help="Ask again and again, until interrupted.")
@click.option(
    "--interval",
    type=click.IntRange(1, 3600),
    default=10,
    show_default=True,
    help="Seconds between, with --watch.",
)
def command(inventory: tuple[Path, ...], as_json: bool, watch: bool, interval: int) -> None:
    """Ask every service through its own interface; exit status 1 when one is not well.

    Tells latency, version against what it is pinned to, days of certificates, age of backups, whether models
    make tokens, alerts that fire, and GPUs. Nothing is changed.
    """
    from rackwright.operations.status import status  # noqa: PLC0415 - with Ansible: slow to import
    from rackwright.operations.status_view import as_view  # noqa: PLC0415

    if watch:
        if as_json:
            raise click.UsageError("--watch is for people: leave --json out")
        _watch(inventory, interval)
        return
    found = status(inventory)
    if as_json:
        click.echo(json.dumps(found.as_dict(), indent=2))
    else:
        console().print(as_view(found))
    if not found.ok:
        raise SystemExit(1)


def _watch(inventory: tuple[Path, ...], interval: int) -> None:
    """Show the status, and what has changed since the last look, until interrupted."""
    from rich.live import Live  # noqa: PLC0415

    from rackwright.errors import RackwrightError  # noqa: PLC0415
    from rackwright.operations.status import status  # noqa: PLC0415

    before: Status | None = None
    changes: list[str] = []
    with Live(console=console(), auto_refresh=False, vertical_overflow="visible") as live:
        while True:
            try:
                found = status(inventory, tries=1)
            except RackwrightError as error:
                live.update(_page(None, [*changes, f"{_now()} {error.message}"]), refresh=True)
            else:
                changes = [*changes, *changed(before, found)][-8:]
                before = found
                live.update(_page(found, changes), refresh=True)
            time.sleep(interval)


def changed(before: Status | None, after: Status) -> list[str]:
    """Say which services became well or ill, and which alerts came and went, with the time."""
    if before is None:
        return []
    was, now = _ill(before), _ill(after)
    told = [
        f"{_now()} {host} {name} is not well: {now[host, name]}"
        for host, name in now
        if (host, name) not in was
    ]
    told += [f"{_now()} {host} {name} is well again" for host, name in was if (host, name) not in now]
    old, new = set(before.alerts or ()), set(after.alerts or ())
    told += [f"{_now()} alert {alert.name} {alert.host} fires" for alert in new - old]
    told += [f"{_now()} alert {alert.name} {alert.host} is over" for alert in old - new]
    return told


def _ill(found: Status) -> dict[tuple[str, str], str]:
    """Return what is not well, and why, by host and service; an engine has several instances."""
    return {(entry.host, entry.service): entry.detail for entry in found.services if not entry.ok}


def _page(found: Status | None, changes: list[str]) -> RenderableType:
    from rich.console import Group  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    from rackwright.operations.status_view import as_view  # noqa: PLC0415

    head = Text(f"{_now()} UTC, ^C ends it", style="dim")
    body = as_view(found) if found is not None else Text("no answer yet", style="bold red")
    return Group(head, body, *(Text(change, style="yellow") for change in changes))


def _now() -> str:
    return datetime.now(UTC).strftime("%H:%M:%S")
