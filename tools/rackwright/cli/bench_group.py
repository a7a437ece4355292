"""`rackwright bench`: `inference` measures a site's models, everything else the toolkit itself."""

from __future__ import annotations

import importlib

import click

# name = ("module", "attribute"); imported when it is asked for, so that each starts fast.
_COMMANDS = {
    "inference": ("rackwright.cli.bench_inference", "inference"),
    "toolkit": ("rackwright.cli.bench", "bench"),
}


class BenchGroup(click.Group):
    """A group whose usual command need not be named: `bench nochange` is `bench toolkit nochange`."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's interface
        """Return the names of both commands."""
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import and return one command."""
        if cmd_name not in _COMMANDS:
            return None
        module, attribute = _COMMANDS[cmd_name]
        command = getattr(importlib.import_module(module), attribute)
        if not isinstance(command, click.Command):
            raise TypeError(f"{module}:{attribute} is not a click command")
        return command

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put the usual command's name before arguments that name none."""
        if not args or args[0] not in {*_COMMANDS, *ctx.help_option_names}:
            args = ["toolkit", *args]
        return super().parse_args(ctx, args)


@click.group("bench", cls=BenchGroup)
def bench() -> None:
    """Measure the toolkit, or a site's models.

    `rackwright bench [converge|nochange|preflight|pgbench|all]` compares the toolkit with plain shell
    scripts; its options are those of `rackwright bench toolkit --help`.
    """
