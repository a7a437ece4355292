"""`rackwright secrets`: make, list, rotate and show a site's secrets."""

from __future__ import annotations

import json
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from rackwright.cli.options import inventory_option, json_option
from rackwright.secrets import store


@click.group()
def secrets() -> None:
    """Make, list, rotate and show the secrets of a site."""


@secrets.command()
@inventory_option
def init(inventory: tuple[Path, ...]) -> None:
    """Give every secret that has none a strong random value.

    Writes <inventory>/group_vars/all/vault.yml, encrypted by ansible-vault. Run again, it changes nothing
    and only adds secrets that are new. Of several inventories the last directory gets the vault.
    """
    done = store.initialise(inventory)
    if done.password_created:
        click.echo(f"made the vault password: {done.password_file}")
        click.echo("  back it up: without it the vault is lost")
    if done.added:
        click.echo(f"{done.vault}: drew {', '.join(done.added)}")
    else:
        click.echo(f"{done.vault}: complete, nothing changed")


@secrets.command()
@click.argument("name")
@inventory_option
def rotate(name: str, inventory: tuple[Path, ...]) -> None:
    """Draw a new value for the secret NAME and say what takes it to the hosts."""
    specification = store.rotate(name, inventory)
    click.echo(f"{name}: new value drawn. Take it to the hosts now:")
    sources = " ".join(f"-i {source}" for source in inventory)
    for play in specification.plays:
        click.echo(f"  ansible-playbook playbooks/{play}.yml {sources}")


@secrets.command("list")
@inventory_option
@json_option
def list_secrets(inventory: tuple[Path, ...], as_json: bool) -> None:
    """List the site's secrets, and whether each is set; never their values."""
    found = store.states(inventory)
    if as_json:
        rows = [
            {"name": state.name, "description": state.description, "plays": state.plays, "set": state.is_set}
            for state in found
        ]
        click.echo(json.dumps(rows, indent=2))
        return
    table = Table("secret", "set", "plays", "description")
    for state in found:
        mark = "[green]yes[/]" if state.is_set else "[red]no[/]"
        table.add_row(state.name, mark, ", ".join(state.plays), state.description)
    Console().print(table)


@secrets.command()
@click.argument("name")
@inventory_option
def show(name: str, inventory: tuple[Path, ...]) -> None:
    """Print the value of the secret NAME on standard output."""
    click.echo(store.value_of(name, inventory))
