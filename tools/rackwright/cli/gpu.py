"""`rackwright gpu …`: the GPUs of a site's hosts."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import click

from rackwright.cli.options import inventory_option, json_option


@click.group("gpu")
def gpu_group() -> None:
    """The GPUs of the hosts: which driver they get, and how they are."""


@gpu_group.command()
@inventory_option
@click.option(
    "--image", default="", help="Image of a container that loads all GPUs; it must be on the hosts."
)
@click.option(
    "--command",
    "load",
    default="",
    help="Its command, as in a shell; without --image a program of the hosts.",
)
@click.option("--seconds", default=60, show_default=True, type=click.IntRange(1, 86400), help="Its time.")
@json_option
def check(inventory: tuple[Path, ...], image: str, load: str, seconds: int, as_json: bool) -> None:
    """Examine the GPUs: memory errors, Xid, PCIe, heat, load; exit status 1 when a host must not serve."""
    from rackwright.cli.tables import console  # noqa: PLC0415 - help must be fast
    from rackwright.operations.gpu import as_table, gpu_check  # noqa: PLC0415

    found, _run = gpu_check(inventory, image=image, command=shlex.split(load), seconds=seconds)
    if as_json:
        click.echo(
            json.dumps(
                {"ok": all(entry.ok for entry in found), "hosts": [entry.as_dict() for entry in found]},
                indent=2,
            )
        )
    else:
        console().print(as_table(found))
    if not all(entry.ok for entry in found):
        raise SystemExit(1)


@gpu_group.command()
@inventory_option
@json_option
def plan(inventory: tuple[Path, ...], as_json: bool) -> None:
    """Say which driver each host would get, from its hardware.yml alone; no host is asked."""
    from rackwright.cli.tables import console  # noqa: PLC0415
    from rackwright.drivers.site import as_table, site_plans  # noqa: PLC0415

    plans = site_plans(inventory)
    if as_json:
        click.echo(json.dumps({name: found.as_dict() for name, found in plans.items()}, indent=2))
    else:
        console().print(as_table(plans))
    if any(found.action == "refuse" for found in plans.values()):
        raise SystemExit(1)
