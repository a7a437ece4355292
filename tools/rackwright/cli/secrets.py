"""`rackwright secrets`: make, list, set, rotate and show a site's secrets."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from rackwright.cli.options import inventory_option, json_option
from rackwright.secrets import store
from rackwright.secrets.specification import SecretSpecification


@click.group()
def secrets() -> None:
    """Make, list, set, rotate and show the secrets of a site."""


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
    _tell_plays(f"{name}: new value drawn.", store.rotate(name, inventory), inventory)


@secrets.command("set")
@click.argument("name")
@inventory_option
def set_value(name: str, inventory: tuple[Path, ...]) -> None:
    """Give the secret NAME a value that somebody else drew, such as an identity provider.

    The value is asked for, or is the first line of standard input: an argument would stand in the list of
    processes.
    """
    value: str = (
        click.prompt("Value", hide_input=True, confirmation_prompt=True)
        if sys.stdin.isatty()
        else sys.stdin.readline().rstrip("\r\n")
    )
    _tell_plays(f"{name}: kept.", store.put(name, value, inventory), inventory)


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


def _tell_plays(done: str, specification: SecretSpecification, inventory: tuple[Path, ...]) -> None:
    click.echo(f"{done} Take it to the hosts now:")
    sources = " ".join(f"-i {source}" for source in inventory)
    for play in specification.plays:
        click.echo(f"  ansible-playbook playbooks/{play}.yml {sources}")
