"""`rackwright bundle …`: everything that a site needs, as one signed directory that can be carried."""

from __future__ import annotations

import click

from rackwright.cli.lazy import LazyGroup

# name -> module:attribute; a module is imported only when its command is run or listed with its help.
COMMANDS = {
    "build": "rackwright.cli.bundle_build:build_command",
    "diff": "rackwright.cli.bundle_parts:diff_command",
    "join": "rackwright.cli.bundle_parts:join_command",
    "key": "rackwright.cli.bundle_key:key_command",
    "plan": "rackwright.cli.bundle_build:plan_command",
    "plugins": "rackwright.cli.bundle_plugins:command",
    "prune": "rackwright.cli.bundle_parts:prune_command",
    "serve": "rackwright.cli.bundle_serve:serve_command",
    "split": "rackwright.cli.bundle_parts:split_command",
    "verify": "rackwright.cli.bundle_look:verify_command",
    "show": "rackwright.cli.bundle_look:show_command",
}


@click.group("bundle", cls=LazyGroup, commands_at=COMMANDS)
def bundle() -> None:
    """Everything that a site needs, as one signed directory that can be carried (docs/bundle.md)."""
