"""`rackwright wheelhouse`: the app and all it needs as one archive."""

from __future__ import annotations

import json

import click

from rackwright.wheelhouse.build import ensure_wheelhouse
from rackwright.wheelhouse.target import ARCHITECTURES


@click.group()
def wheelhouse() -> None:
    """The app and all it needs as one archive, which a host installs without any package index."""


@wheelhouse.command()
@click.option("--python", default="3.13", show_default=True, help="The hosts' Python.")
@click.option("--arch", type=click.Choice(ARCHITECTURES), default=ARCHITECTURES[0], show_default=True)
def build(python: str, arch: str) -> None:
    """Build the archive, unless nothing has changed, and print what it is as JSON."""
    click.echo(json.dumps(ensure_wheelhouse(python, arch).as_dict(), indent=2))
