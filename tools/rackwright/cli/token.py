"""`rackwright token`: an access token for the site's API."""

from __future__ import annotations

from pathlib import Path

import click

from rackwright.cli.options import inventory_option
from rackwright.secrets import store
from rackwright.secrets.token import ROLES, access_token


@click.command()
@click.option("--user", required=True, help="Whom the token speaks for (its subject).")
@click.option("--role", type=click.Choice(ROLES), default=ROLES[0], show_default=True)
@click.option("--hours", type=click.FloatRange(0, 24 * 366, min_open=True), default=12, show_default=True)
@inventory_option
def token(user: str, role: str, hours: float, inventory: tuple[Path, ...]) -> None:
    """Print an access token for the site's API, signed by the site's jwt_secret."""
    click.echo(access_token(store.value_of("jwt_secret", inventory), user=user, role=role, hours=hours))
