"""The command line.

Each command is imported when it is called, so that no worker carries the libraries of the migrations.
"""

from __future__ import annotations

from importlib import import_module

import click

from rackwright_app import __version__
from rackwright_app.settings import settings_or_exit

COMMANDS = {
    "audit": "rackwright_app.audit_verify",
    "migrate": "rackwright_app.database.migrate",
    "retain": "rackwright_app.retention",
    "serve": "rackwright_app.server",
    "token": "rackwright_app.tokens",
    "user": "rackwright_app.users.cli",
}


class _LazyGroup(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*super().list_commands(ctx), *COMMANDS})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return super().get_command(ctx, cmd_name)
        found: click.Command = import_module(COMMANDS[cmd_name]).command
        return found


@click.group(cls=_LazyGroup)
@click.version_option(__version__)
def main() -> None:
    """The chat service of a Rackwright platform."""


@main.command()
def check() -> None:
    """Check the configuration; print nothing but what is wrong with it."""
    settings_or_exit()
