"""`rackwright bench inference`: how soon and how fast models answer, and how many people at a time."""

from __future__ import annotations

import json
from pathlib import Path

import click
from rich.console import Console

from rackwright.cli.options import inventory_option, json_option
from rackwright.cli.tables import console

KEY_VARIABLE = "RACKWRIGHT_MODEL_KEY"


@click.command("inference")
@click.option("--users", type=click.IntRange(1, 10_000), help="Most users at a time.  [default: the tier's]")
@click.option(
    "--seconds",
    type=click.IntRange(1, 600),
    default=20,
    show_default=True,
    help="Length of each step: 1, 2, 4, … users.",
)
@click.option(
    "--tokens", type=click.IntRange(2, 4096), default=128, show_default=True, help="Longest answer in tokens."
)
@click.option("--model", default="", help="Which model.  [default: the site's first]")
@click.option("--force", is_flag=True, help="More users than the tier is for.")
@click.option("--url", help="Ask this address from this machine instead: http(s)://host:port/v1.")
@click.option(
    "--ca",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Authority that signed the certificate of --url.",
)
@click.option(
    "--html", type=click.Path(dir_okay=False, path_type=Path), help="Write a page with charts to this file."
)
@inventory_option
@json_option
def inference(
    users: int | None,
    seconds: int,
    tokens: int,
    model: str,
    force: bool,
    url: str | None,
    ca: Path | None,
    html: Path | None,
    inventory: tuple[Path, ...],
    as_json: bool,
) -> None:
    """Ask the site's models as many users at a time would, and compare with what the tier promises.

    A host of the app asks the model route, as the app does. It ends by itself: each step takes --seconds, and
    the answers that run then have a minute. The exit status is 1 when the promise is not kept. The key for
    --url is the environment variable RACKWRIGHT_MODEL_KEY.
    """
    import os  # noqa: PLC0415 - all of this is slow to load, and not needed for --help

    from rackwright.bench.inference import Promise, Result, require_bounded, steps_to  # noqa: PLC0415
    from rackwright.bench.inference_report import as_table, sentences  # noqa: PLC0415
    from rackwright.bench.inference_run import ask_site, ask_url  # noqa: PLC0415
    from rackwright.bench.inference_site import tier_of_site  # noqa: PLC0415
    from rackwright.errors import RackwrightError  # noqa: PLC0415

    if url and not model:
        raise RackwrightError("--url needs --model", hint="the names are in the answer of GET <url>/models")
    name, tier = tier_of_site(inventory)
    most = users or tier.users.concurrent
    require_bounded(most, tier.users.concurrent, name, force=force)
    steps = steps_to(most)
    errors = Console(stderr=True, highlight=False)
    errors.print(f"[dim]{len(steps)} steps of {seconds} s, up to {most} users at a time[/]")

    def tell(text: str) -> None:
        errors.print(f"[dim]{text}[/]")

    if url:
        asked = ask_url(
            url,
            steps,
            key=os.environ.get(KEY_VARIABLE, ""),
            ca=ca.read_text(encoding="utf-8") if ca else "",
            seconds=seconds,
            tokens=tokens,
            model=model,
            tell=tell,
        )
    else:
        asked = ask_site(inventory, steps, seconds=seconds, tokens=tokens, model=model, tell=tell)
    promise = Promise(tier.promise.first_token_seconds, tier.promise.tokens_per_second)
    result = Result(
        url=asked.url,
        target=asked.target,
        asked_from=asked.asked_from,
        model=asked.model,
        tier=name,
        tier_users=tier.users.concurrent,
        promise=promise,
        tokens=tokens,
        steps=asked.steps,
    )
    if html:
        from rackwright.bench.inference_chart import page  # noqa: PLC0415

        html.write_text(page(result), encoding="utf-8")
    if as_json:
        click.echo(json.dumps(result.as_dict(), indent=2))
    else:
        out = console()
        out.print(as_table(result))
        out.print()
        for text in sentences(result):
            out.print(text)
    if not result.kept:
        raise SystemExit(1)
