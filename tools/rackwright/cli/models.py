"""`rackwright models`: what models there are, which of them fit, and the store of their files."""

from __future__ import annotations

import json
from pathlib import Path

import click

from rackwright.cli.models_store import COMMANDS
from rackwright.cli.models_switch import switch_command
from rackwright.cli.options import INVENTORY_VARIABLE, json_option

_PURPOSES = ("chat", "code", "embedding", "rerank")


@click.group()
def models() -> None:
    """Models: which there are, which fit the machines, and their files."""


for _command in (*COMMANDS, switch_command):
    models.add_command(_command)


@models.command("list")
@json_option
@click.option("--purpose", type=click.Choice(_PURPOSES), help="Only models for this.")
@click.option(
    "-i",
    "--inventory",
    multiple=True,
    type=click.Path(exists=True, path_type=Path, resolve_path=True),
    help="Ask the inference hosts of this inventory what they hold instead; repeatable.",
)
def list_models(as_json: bool, purpose: str | None, inventory: tuple[Path, ...]) -> None:
    """List the models of group_vars/all/models.yml; with -i what each host of a site holds."""
    if inventory:
        from rackwright.cli.models_hosts import print_held  # noqa: PLC0415 - Ansible is slow to start

        print_held(inventory, as_json=as_json)
        return
    from rackwright.cli.models_tables import models_table  # noqa: PLC0415 - pydantic is slow to import
    from rackwright.cli.tables import console  # noqa: PLC0415
    from rackwright.models.catalogue import project_models  # noqa: PLC0415

    found = {
        key: model
        for key, model in project_models().models.items()
        if purpose is None or purpose in model.purposes
    }
    if as_json:
        click.echo(json.dumps({key: model.model_dump(mode="json") for key, model in found.items()}, indent=2))
        return
    console().print(models_table(found))


@models.command("fit")
@click.argument("names", nargs=-1, metavar="[MODEL]...")
@click.option(
    "-i",
    "--inventory",
    multiple=True,
    envvar=INVENTORY_VARIABLE,
    type=click.Path(exists=True, path_type=Path, resolve_path=True),
    help="Inventory whose inference hosts are meant, by their `hardware`; repeatable.",
)
@click.option("--gpu", help="GPUs instead of an inventory: a100-40gb:2, rtx-3090.")
@click.option("--vram-gb", type=click.IntRange(1, 1024), help="Memory of each GPU in GiB, instead of a name.")
@click.option("--gpus", "count", type=click.IntRange(1, 16), default=1, help="With --vram-gb: how many.")
@click.option("--ram-gb", type=click.IntRange(1, 8192), help="Memory in GiB for a machine without GPUs.")
@click.option("--context", type=click.IntRange(1), default=8192, show_default=True, help="Tokens a request.")
@click.option("--parallel", type=click.IntRange(1), default=4, show_default=True, help="Requests at a time.")
@click.option("--engine", help="Only this engine: vllm, ollama, llama_cpp, localai, fastchat.")
@click.option("--quantisation", help="Only this quantisation; default: the finest that fits.")
@click.option("--cache", default="f16", show_default=True, help="Type of the cache: f16, q8_0, q4_0, fp8.")
@click.option(
    "--share", type=click.FloatRange(0.1, 1.0), default=0.9, show_default=True, help="Of a GPU's memory."
)
@click.option("--purpose", type=click.Choice(_PURPOSES), help="Only models for this.")
@click.option("--explain", is_flag=True, help="Say of each number how it came about.")
@json_option
def fit(
    names: tuple[str, ...],
    inventory: tuple[Path, ...],
    gpu: str | None,
    vram_gb: int | None,
    count: int,
    ram_gb: int | None,
    context: int,
    parallel: int,
    engine: str | None,
    quantisation: str | None,
    cache: str,
    share: float,
    purpose: str | None,
    explain: bool,
    as_json: bool,
) -> None:
    """Say which models fit, in which quantisation, on how many GPUs; for the others what would let them.

    Without a machine named by --gpu, --vram-gb or --ram-gb, the hosts of the inventory's group `inference`
    are meant, as `rackwright scan` has found them.
    """
    from rackwright.cli.models_tables import print_fit  # noqa: PLC0415 - pydantic is slow to import
    from rackwright.models.asked import check_wish, keys_of, machine_of_options, machines_of_site  # noqa: PLC0415
    from rackwright.models.catalogue import project_models  # noqa: PLC0415
    from rackwright.models.fit import Wish  # noqa: PLC0415
    from rackwright.models.report import fit_all  # noqa: PLC0415

    wish = Wish(context, parallel, engine, quantisation, cache, share)
    machine = machine_of_options(gpu, vram_gb, count, ram_gb)
    if machine is not None:
        found, machines, tier = project_models(), {"": machine}, None
    else:
        found, machines, tier = machines_of_site(inventory)
    check_wish(found, wish)
    keys = keys_of(found, names, purpose)
    reports = {host: fit_all(found, each, wish, keys) for host, each in machines.items()}
    if as_json:
        plain = {host: [row.as_dict() for row in rows] for host, rows in reports.items()}
        click.echo(json.dumps(plain[""] if machine is not None else plain, indent=2))
        return
    print_fit(found, machines, reports, wish, tier, explain)
