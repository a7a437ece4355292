"""The entry point: finds the command, and prints an error once."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence

import click
from rich.console import Console
from rich.text import Text

from rackwright.errors import RackwrightError

# name = "module:attribute"; a module is imported only when its command is run or listed with its help.
COMMANDS: dict[str, str] = {
    "audit": "rackwright.cli.audit:command",
    "backup": "rackwright.cli.backup:command",
    "bench": "rackwright.cli.bench_group:bench",
    "cost": "rackwright.cli.cost:command",
    "docs": "rackwright.cli.docs:docs",
    "services": "rackwright.cli.services:services",
    "topology": "rackwright.cli.topology:topology",
    "alerts": "rackwright.cli.alerts:command",
    "apply": "rackwright.cli.apply:command",
    "preflight": "rackwright.cli.preflight:command",
    "gpu": "rackwright.cli.gpu:gpu_group",
    "health": "rackwright.cli.health:command",
    "smoke": "rackwright.cli.smoke:command",
    "validate": "rackwright.cli.validate:validate",
    "welcome": "rackwright.cli.welcome:command",
    "init": "rackwright.cli.init:command",
    "lab": "rackwright.cli.lab:lab_group",
    "models": "rackwright.cli.models:models",
    "pki": "rackwright.cli.pki:pki",
    "plan": "rackwright.cli.plan:command",
    "rehearse": "rackwright.cli.rehearse:command",
    "report": "rackwright.cli.report:command",
    "restore": "rackwright.cli.restore:command",
    "scan": "rackwright.cli.scan:command",
    "secrets": "rackwright.cli.secrets:secrets",
    "size": "rackwright.cli.size:size",
    "token": "rackwright.cli.token:token",
    "wheelhouse": "rackwright.cli.wheelhouse:wheelhouse",
    "zones": "rackwright.cli.zones:zones",
}


class LazyGroup(click.Group):
    """A group whose commands are imported when they are asked for, so that each starts fast."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's interface
        """Return the names of all commands."""
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import and return one command."""
        target = COMMANDS.get(cmd_name)
        if target is None:
            return None
        module_name, attribute = target.split(":")
        command = getattr(importlib.import_module(module_name), attribute)
        if not isinstance(command, click.Command):
            raise TypeError(f"{target} is not a click command")
        return command


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
@click.version_option(package_name="rackwright", prog_name="rackwright")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
@click.pass_context
def cli(ctx: click.Context, debug: bool) -> None:
    """Turns bare servers into a private AI platform."""
    ctx.obj = {"debug": debug}


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit the process with its status."""
    arguments = sys.argv[1:] if arguments is None else arguments
    try:
        status = cli.main(args=list(arguments), prog_name="rackwright", standalone_mode=False)
    except RackwrightError as error:
        if "--debug" in arguments:
            raise
        _print_error(error.message, error.hint)
        sys.exit(error.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        _print_error("interrupted", None)
        sys.exit(130)
    # Without standalone mode click hands back what ctx.exit() was given.
    sys.exit(status if isinstance(status, int) else 0)


def _print_error(message: str, hint: str | None) -> None:
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    console.print(Text.assemble(("error: ", "bold red"), message))
    if hint:
        console.print(Text.assemble(("hint:  ", "bold yellow"), hint))


if __name__ == "__main__":
    main()
