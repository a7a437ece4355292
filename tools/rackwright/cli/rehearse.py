"""`rackwright rehearse`: a disaster, on a machine that is there for it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import click

from rackwright.cli.options import inventory_option, json_option
from rackwright.errors import RackwrightError
from rackwright.pki.authority import Authority
from rackwright.pki.location import pki_directory
from rackwright.rehearsal.model import TARGETS
from rackwright.rehearsal.report import is_genuine, markdown, write
from rackwright.rehearsal.run import rehearse
from rackwright.site.inventory import load_inventory
from rackwright.site.paths import repository_root


@click.command()
@inventory_option
@json_option
@click.argument("scenario", type=click.Choice([*TARGETS, "check"]))
@click.option("--host", help="Whose place is taken.  [default: the first host with PostgreSQL]")
@click.option("--machine", help="The machine that takes it.  [default: the first of the group rehearsal]")
@click.option("--report", "directory", type=click.Path(path_type=Path), help="Its directory.")
def command(
    inventory: tuple[Path, ...],
    as_json: bool,
    scenario: str,
    host: str | None,
    machine: str | None,
    directory: Path | None,
) -> None:
    """Rehearse a failure and measure the recovery; or check a report. Production is never touched."""
    authority = Authority(pki_directory(inventory))
    if scenario == "check":
        if directory is None:
            raise click.UsageError("name the report's directory: --report")
        if not is_genuine(directory, authority):
            raise RackwrightError(f"{directory} is not as the site signed it")
        click.echo("genuine: as the site signed it")
        return
    report = rehearse(inventory, scenario, host, machine)
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S")
    target = directory or repository_root() / "rehearsals" / f"{stamp}-{scenario}"
    passphrase = str(load_inventory(inventory).site_variables()["vault_ca_passphrase"])
    write(report, target, authority, passphrase)
    click.echo(json.dumps(report.as_dict(), indent=2) if as_json else markdown(report))
    if not as_json:
        click.echo(f"The report, signed: {target}")
    if not report.met:
        raise SystemExit(1)
