"""`rackwright models switch`: another model into service, and back."""

from __future__ import annotations

from pathlib import Path

import click

from rackwright.cli.options import inventory_option


@click.command("switch")
@click.argument("model", required=False)
@inventory_option
@click.option("--quantisation", help="Build; default: the first that the store has.")
@click.option("--engine", default="llama_cpp", show_default=True, help="Engine whose hosts are switched.")
@click.option("--rollback", "back", is_flag=True, help="Serve again what was served before the last switch.")
@click.option(
    "--stop-first",
    is_flag=True,
    help="Stop the old model before the new one is loaded; meanwhile nothing is served.",
)
@click.option(
    "--engines-only", is_flag=True, help="Leave the app and the route as they are; `apply` does them."
)
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
    engines_only: bool,
    port: int,
    drain_seconds: int,
) -> None:
    """Load a model beside the one that is served, prove it by the golden prompts, and move the callers to it.

    Where an answer is not what it should be, the new model is stopped and the old one serves on.
    """
    if back == (model is not None):
        raise click.UsageError("name a model, or give --rollback")
    # Loads Ansible, which takes a second.
    from rackwright.models.switch.run import Wish, rollback, switch  # noqa: PLC0415

    wish = Wish(
        stop_first=stop_first,
        # What served before has proven itself.
        prove=not back,
        port=port,
        drain_seconds=drain_seconds,
        callers=not engines_only,
    )
    if model is None:
        rollback(inventory, engine, wish, click.echo)
    else:
        switch(inventory, engine, model, quantisation, wish, click.echo)
