"""`rackwright pki`: what the site's certificate authority issued, and what expires when."""

from __future__ import annotations

import json
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from rackwright.cli.options import inventory_option, json_option
from rackwright.pki.authority import Authority, chain_pem
from rackwright.pki.issued import find, issued
from rackwright.pki.location import pki_directory

_COLOURS = {"valid": "green", "due": "yellow", "expired": "red"}


@click.group()
def pki() -> None:
    """Look at the site's certificate authority and its certificates."""


@pki.command()
@inventory_option
def ca(inventory: tuple[Path, ...]) -> None:
    """Print the path of the CA's certificate: what a client of the site must trust."""
    authority = Authority(pki_directory(inventory))
    authority.certificate()
    click.echo(authority.certificate_path)


@pki.command("list")
@inventory_option
@json_option
def list_certificates(inventory: tuple[Path, ...], as_json: bool) -> None:
    """List all certificates in use and when each expires; the next run renews those that are due."""
    found = issued(Authority(pki_directory(inventory)))
    if as_json:
        rows = [
            {
                "host": item.host,
                "service": item.service,
                "names": item.names,
                "not_after": item.not_after.isoformat(),
                "days_left": item.days_left(),
                "state": item.state(),
            }
            for item in found
        ]
        click.echo(json.dumps(rows, indent=2))
        return
    table = Table("host", "service", "expires", "days left", "state", "for")
    for item in found:
        state = item.state()
        table.add_row(
            item.host,
            item.service,
            f"{item.not_after:%Y-%m-%d}",
            str(item.days_left()),
            f"[{_COLOURS[state]}]{state}[/]",
            ", ".join(item.names),
        )
    Console().print(table)


@pki.command()
@click.argument("host")
@click.argument("service")
@inventory_option
def show(host: str, service: str, inventory: tuple[Path, ...]) -> None:
    """Print the certificate of SERVICE on HOST: what it is for, its validity, its PEM."""
    item = find(Authority(pki_directory(inventory)), host, service)
    certificate = item.certificate
    click.echo(f"subject:  {certificate.subject.rfc4514_string()}")
    click.echo(f"issuer:   {certificate.issuer.rfc4514_string()}")
    click.echo(f"for:      {', '.join(item.names)}")
    click.echo(f"serial:   {certificate.serial_number:x}")
    click.echo(
        f"valid:    {certificate.not_valid_before_utc:%Y-%m-%d %H:%M} to {item.not_after:%Y-%m-%d %H:%M} UTC"
    )
    click.echo(f"state:    {item.state()}, {item.days_left()} days left")
    click.echo(chain_pem([certificate]), nl=False)
