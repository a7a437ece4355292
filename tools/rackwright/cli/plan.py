"""`rackwright plan`: what `apply` would change."""

from __future__ import annotations

import json
from pathlib import Path

import click
from rich.console import Console

from rackwright.cli.options import inventory_option, json_option
from rackwright.cli.tables import console


class PlanCommand(click.Command):
    """A command line that is wrong must not look like `there are changes`, which is status 2."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the command line."""
        try:
            return super().parse_args(ctx, args)
        except click.UsageError as error:
            raise WrongUsage(error.format_message(), ctx) from error


class WrongUsage(click.UsageError):
    """As click's, with another exit status."""

    exit_code = 1


@click.command("plan", cls=PlanCommand)
@inventory_option
@json_option
@click.option("--diff", is_flag=True, help="Show the contents of every file that would change.")
@click.option("--limit", metavar="HOSTS", help="Only these hosts or groups.")
@click.option("--tags", metavar="TAGS", help="Only tasks with these tags (a role's name, or <role>_<stage>).")
@click.option(
    "--html", type=click.Path(dir_okay=False, path_type=Path), help="Write the plan as a page of its own."
)
def command(
    inventory: tuple[Path, ...],
    as_json: bool,
    diff: bool,
    limit: str | None,
    tags: str | None,
    html: Path | None,
) -> None:
    """Say what `apply` would change, and which services would be away for how long; changes nothing.

    The exit status is 0 when there is nothing to do, 2 when there are changes, and 1 when not everything
    could be asked. Secrets are never shown.
    """
    from rackwright.operations.progress import RunProgress  # noqa: PLC0415 - with the runner: slow to import
    from rackwright.operations.runner import expected_seconds, expected_tasks  # noqa: PLC0415
    from rackwright.plan.make import make_plan  # noqa: PLC0415
    from rackwright.plan.text import print_plan  # noqa: PLC0415

    errors = Console(stderr=True, highlight=False)
    progress = RunProgress(
        errors, "plan", expected_tasks=expected_tasks("plan"), expected_seconds=expected_seconds("plan")
    )
    if errors.is_terminal:
        with progress:
            plan, run = make_plan(inventory, limit=limit, tags=tags, on_event=progress.on_event)
    else:
        plan, run = make_plan(inventory, limit=limit, tags=tags)
    if html is not None:
        from rackwright.plan.page import plan_page  # noqa: PLC0415

        html.write_text(plan_page(plan), encoding="utf-8")
    if as_json:
        click.echo(json.dumps(plan.as_dict(), indent=2, ensure_ascii=False))
    else:
        print_plan(console(), plan, diff=diff)
        console().print(f"\nasked in {run.seconds:.0f} s; log: {run.log}", style="dim", soft_wrap=True)
    raise SystemExit(plan.exit_code)
