"""`rackwright models switch`: another model into service, and back."""

from __future__ import annotations

from pathlib import Path

import click

from rackwright.cli.options import inventory_option


@click.command("switch")
@click.argument("model", required=False)
@inventory_option
@click.option("--quantisation", help="Build; default: the first that the store has.")
@click.option("--engine", help="Engine whose hosts are switched; needed where the site has several.")
@click.option("--rollback", "back", is_flag=True, help="Serve again what was served before the last switch.")
@click.option(
    "--stop-first",
    is_flag=True,
    help="One host after the other: stop the old model, then load the new one.",
)
@click.option("--accept-slow", is_flag=True, help="Take a model that is slower than the tier promises.")
@click.option(
    "--engines-only", is_flag=True, help="Leave the app and the route as they are; --finish does them."
)
@click.option("--finish", is_flag=True, help="Give the app and the route the new name, after --engines-only.")
@click.option(
    "--port",
    type=click.IntRange(1024, 65535),
    default=18080,
    show_default=True,
    help="Port on the hosts for the new model while it is proven.",
)
@click.option(
    "--drain-seconds",
    type=click.IntRange(0),
    default=300,
    show_default=True,
    help="How long answers of the old model may go on.",
)
def switch_command(
    model: str | None,
    inventory: tuple[Path, ...],
    quantisation: str | None,
    engine: str,
    back: bool,
    stop_first: bool,
    accept_slow: bool,
    engines_only: bool,
    finish: bool,
    port: int,
    drain_seconds: int,
) -> None:
    """Load a model beside the one that is served, prove it by the golden prompts, and move the callers to it.

    Where an answer is not what it should be, or slower than the tier promises, the new model is stopped and
    the old one serves on.
    """
    if [model is not None, back, finish].count(True) != 1:
        raise click.UsageError("name a model, or give --rollback or --finish")
    # Loads Ansible, which takes a second.
    from rackwright.models.switch import callers  # noqa: PLC0415
    from rackwright.models.switch.order import Wish  # noqa: PLC0415
    from rackwright.models.switch.run import rollback, switch  # noqa: PLC0415

    wish = Wish(
        stop_first=stop_first,
        # What served before has proven itself.
        prove=not back,
        accept_slow=accept_slow,
        port=port,
        drain_seconds=drain_seconds,
        callers=not engines_only,
    )
    if finish:
        callers.finish(inventory, engine, click.echo, callers=not engines_only)
    elif model is None:
        rollback(inventory, engine, wish, click.echo)
    else:
        switch(inventory, engine, model, quantisation, wish, click.echo)
