"""`rackwright airgap`: the proof that nothing leaves a site."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from rackwright.cli.options import inventory_option, json_option

if TYPE_CHECKING:
    from rackwright.airgap.prove import Proof

report_option = click.option(
    "--report",
    type=click.Path(file_okay=False, path_type=Path),
    help="Directory for the report: JSON, Markdown, HTML and their checksums.",
)


@click.group()
def airgap() -> None:
    """Prove that nothing leaves a site."""


@airgap.command("prove")
@inventory_option
@json_option
@report_option
@click.option(
    "--idle", type=click.IntRange(0), default=3600, show_default=True, help="Seconds without a question."
)
def prove_command(inventory: tuple[Path, ...], as_json: bool, report: Path | None, idle: int) -> None:
    """Install the site, use it, leave it alone; exit status 1 when anything wanted to leave.

    Hosts count on when this is cut, or when it has ended: `airgap read` tells what they have counted since.
    """
    from rich.console import Console  # noqa: PLC0415 - slow to import

    from rackwright.airgap.prove import PROOF, prove  # noqa: PLC0415
    from rackwright.operations.progress import RunProgress  # noqa: PLC0415
    from rackwright.operations.runner import expected_seconds, expected_tasks  # noqa: PLC0415

    progress = RunProgress(
        Console(stderr=True, highlight=False),
        PROOF,
        expected_tasks=expected_tasks(PROOF),
        expected_seconds=expected_seconds(PROOF),
    )
    with progress:
        proof = prove(inventory, idle, on_event=progress.on_event)
    _tell(proof, report, as_json=as_json)


@airgap.command("start")
@inventory_option
def start_command(inventory: tuple[Path, ...]) -> None:
    """Begin to count on every host, for a restore, a restart or a week; `read` says what was counted."""
    from rackwright.airgap.prove import start  # noqa: PLC0415 - slow to import

    start(inventory)
    click.echo("every host counts")


@airgap.command("read")
@inventory_option
@json_option
@report_option
def read_command(inventory: tuple[Path, ...], as_json: bool, report: Path | None) -> None:
    """Say what was counted since `start`; exit status 1 when anything wanted to leave."""
    from rackwright.airgap.prove import read  # noqa: PLC0415 - slow to import

    _tell(read(inventory), report, as_json=as_json)


def _tell(proof: Proof, report: Path | None, *, as_json: bool) -> None:
    from rackwright.airgap.report import as_dict, verdict, write  # noqa: PLC0415 - slow to import

    if as_json:
        click.echo(json.dumps(as_dict(proof), indent=2))
    else:
        for host in proof.hosts:
            click.echo(
                f"{host.host}: {host.packets} packets to the outside, {host.names} questions for names"
            )
            for sender in host.senders:
                what = f"{sender.to} {sender.protocol}/{sender.port}"
                click.echo(f"  {sender.packets} to {what} by {sender.account} ({sender.who})")
        for name, reason in sorted(proof.missing.items()):
            click.echo(f"{name}: no count: {reason}")
        click.echo(f"counted {proof.begun:%Y-%m-%d %H:%M:%S} to {proof.ended:%Y-%m-%d %H:%M:%S} UTC")
        click.echo(verdict(proof))
    for path in write(proof, report) if report else ():
        click.echo(str(path), err=True)
    if not proof.passed:
        raise SystemExit(1)
