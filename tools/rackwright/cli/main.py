"""The entry point: finds the command, and prints an error once."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click
from rich.console import Console
from rich.text import Text

from rackwright.cli.lazy import LazyGroup
from rackwright.errors import RackwrightError

# name = "module:attribute"; a module is imported only when its command is run or listed with its help.
COMMANDS: dict[str, str] = {
    "airgap": "rackwright.cli.airgap:airgap",
    "audit": "rackwright.cli.audit:command",
    "backup": "rackwright.cli.backup:command",
    "bench": "rackwright.cli.bench_group:bench",
    "bundle": "rackwright.cli.bundle:bundle",
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
    "logs": "rackwright.cli.logs:command",
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


@click.group(
    cls=LazyGroup,
    commands_at=COMMANDS,
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
