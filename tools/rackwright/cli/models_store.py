"""`rackwright models pull|import|export|stored|verify|remove|clean`: the store of models' files."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from rackwright.cli.options import INVENTORY_VARIABLE, json_option

if TYPE_CHECKING:
    from rackwright.models.store.files import Manifest

F = TypeVar("F", bound=Callable[..., Any])

STORE_VARIABLE = "RACKWRIGHT_MODEL_STORE"
_GIB = 2**30


def store_option(function: F) -> F:
    """Add `--store`; the command gets `store: Path`."""
    return click.option(
        "--store",
        envvar=STORE_VARIABLE,
        default=Path("models"),
        show_default=True,
        type=click.Path(file_okay=False, path_type=Path, resolve_path=True),
        help=f"Directory with models' files.  [env: {STORE_VARIABLE}]",
    )(function)


def sources_options(function: F) -> F:
    """Add `-i` and `--from`; the command gets `inventory` and `origins`, both tuples."""
    function = click.option(
        "--from",
        "origins",
        multiple=True,
        metavar="KIND=PLACE",
        help="Source instead of the site's model_sources: folder=/srv/bundle, mirror=URL, ollama=URL, "
        "huggingface=URL, modelscope=URL; repeatable, asked in this order.",
    )(function)
    return click.option(
        "-i",
        "--inventory",
        multiple=True,
        envvar=INVENTORY_VARIABLE,
        type=click.Path(exists=True, path_type=Path, resolve_path=True),
        help="Inventory whose model_sources are asked; repeatable.",
    )(function)


def wait_option(function: F) -> F:
    """Add `--wait`; the command gets `wait: float`."""
    return click.option(
        "--wait", type=click.FloatRange(0), default=0.0, help="Seconds to wait for another writer."
    )(function)


quantisation_option = click.option("--quantisation", help="Build; default: the model's first.")


@click.command("pull")
@click.argument("model")
@quantisation_option
@store_option
@sources_options
@wait_option
def pull_command(
    model: str,
    quantisation: str | None,
    store: Path,
    inventory: tuple[Path, ...],
    origins: tuple[str, ...],
    wait: float,
) -> None:
    """Bring a model into the store; goes on where an earlier run was cut."""
    from rackwright.cli.models_progress import progress  # noqa: PLC0415 - slow to import
    from rackwright.models.store.asked import models_and_sources  # noqa: PLC0415
    from rackwright.models.store.download import Downloader  # noqa: PLC0415
    from rackwright.models.store.pull import new_client, pull, wanted  # noqa: PLC0415
    from rackwright.models.store.store import Store  # noqa: PLC0415

    models, sources = models_and_sources(inventory, origins)
    what = wanted(models, model, quantisation)
    click.echo(f"{what.model.title}, {what.quantisation}; licence: {what.model.licence}")
    with new_client() as client, progress() as report:
        manifest = pull(what, sources, Store(store), Downloader(client, report), wait)
    _print_stored(manifest, store)


@click.command("import")
@click.argument("path", type=click.Path(exists=True, path_type=Path, resolve_path=True))
@click.option("--model", required=True, help="Model of group_vars/all/models.yml that it is.")
@click.option(
    "--modelfile",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="What Ollama is to be told of it: TEMPLATE, SYSTEM, PARAMETER, LICENSE.",
)
@quantisation_option
@store_option
@wait_option
def import_command(
    path: Path, model: str, modelfile: Path | None, quantisation: str | None, store: Path, wait: float
) -> None:
    """Take a GGUF file, or a directory with a model's files, into the store."""
    from rackwright.models.catalogue import project_models  # noqa: PLC0415 - pydantic is slow to import
    from rackwright.models.store.bring_in import import_files  # noqa: PLC0415
    from rackwright.models.store.pull import wanted  # noqa: PLC0415
    from rackwright.models.store.store import Store  # noqa: PLC0415

    models = project_models()
    what = wanted(models, model, quantisation)
    click.echo(f"{what.model.title}, {what.quantisation}; licence: {what.model.licence}")
    _print_stored(import_files(what, path, models, Store(store), wait, modelfile), store)


@click.command("export")
@click.argument("model")
@click.argument("target", type=click.Path(file_okay=False, path_type=Path, resolve_path=True))
@quantisation_option
@store_option
def export_command(model: str, target: Path, quantisation: str | None, store: Path) -> None:
    """Copy a model into a folder that can be carried, or served as a mirror."""
    from rackwright.models.catalogue import project_models  # noqa: PLC0415 - pydantic is slow to import
    from rackwright.models.store.bring_in import export  # noqa: PLC0415
    from rackwright.models.store.pull import wanted  # noqa: PLC0415
    from rackwright.models.store.store import Store  # noqa: PLC0415

    what = wanted(project_models(), model, quantisation)
    click.echo(export(Store(store), what.key, what.quantisation, target))


@click.command("stored")
@store_option
@json_option
def stored_command(store: Path, as_json: bool) -> None:
    """List what is in the store, with where it came from and its licence."""
    from rich.table import Table  # noqa: PLC0415 - slow to import

    from rackwright.cli.tables import console  # noqa: PLC0415
    from rackwright.models.store.store import Store  # noqa: PLC0415

    manifests = list(Store(store).manifests())
    if as_json:
        click.echo(json.dumps([manifest.model_dump() for manifest in manifests], indent=2))
        return
    table = Table(title=f"{len(manifests)} in {store}", title_justify="left", title_style="bold")
    for column in ("Model", "Build", "GiB", "From", "Name there", "Licence"):
        table.add_column(column, overflow="fold", justify="right" if column == "GiB" else "left")
    for each in manifests:
        table.add_row(
            each.model, each.quantisation, f"{each.size / _GIB:.1f}", each.source, each.name, each.licence
        )
    console().print(table)


@click.command("verify")
@click.argument("model", required=False)
@quantisation_option
@store_option
@sources_options
@wait_option
@click.option(
    "--mend/--check",
    "mending",
    default=True,
    help="Fetch damaged files again (the default), or only tell, and exit with 1 where there are any.",
)
@click.option("--store-only", is_flag=True, help="With -i: leave the hosts out.")
def verify_command(
    model: str | None,
    quantisation: str | None,
    store: Path,
    inventory: tuple[Path, ...],
    origins: tuple[str, ...],
    wait: float,
    mending: bool,
    store_only: bool,
) -> None:
    """Read every file against its checksum, and fetch damaged ones again; with -i on hosts, too."""
    # The store first: hosts are mended from it.
    trouble = _verify_store(store, model, quantisation, inventory, origins, wait, mending=mending)
    if inventory and not store_only:
        from rackwright.cli.models_hosts import verify_hosts  # noqa: PLC0415 - Ansible is slow to start

        trouble += verify_hosts(inventory, mending=mending)
    if trouble:
        from rackwright.models.store.files import StoreError  # noqa: PLC0415

        raise StoreError(f"{trouble} damaged", hint="run it without --check: it fetches them again")


def _verify_store(
    store: Path,
    model: str | None,
    quantisation: str | None,
    inventory: tuple[Path, ...],
    origins: tuple[str, ...],
    wait: float,
    *,
    mending: bool,
) -> int:
    """Verify the control node's store; return how many builds are damaged and were left so."""
    from rackwright.cli.models_progress import progress  # noqa: PLC0415 - slow to import
    from rackwright.models.store.asked import chosen, models_and_sources  # noqa: PLC0415
    from rackwright.models.store.download import Downloader  # noqa: PLC0415
    from rackwright.models.store.pull import mend, new_client, wanted  # noqa: PLC0415
    from rackwright.models.store.store import Store  # noqa: PLC0415

    opened = Store(store)
    found = [(manifest, opened.damaged(manifest)) for manifest in chosen(opened, model, quantisation)]
    bad = [manifest for manifest, damaged in found if damaged]
    for manifest, damaged in found:
        state = f"damaged: {', '.join(damaged)}" if damaged else f"{len(manifest.files)} files are whole"
        click.echo(f"{manifest.model} {manifest.quantisation}: {state}")
    if not bad or not mending:
        return len(bad)
    models, sources = models_and_sources(inventory, origins)
    with new_client() as client, progress() as report:
        for manifest in bad:
            what = wanted(models, manifest.model, manifest.quantisation)
            mended = mend(what, sources, opened, Downloader(client, report), wait)
            click.echo(f"{manifest.model} {manifest.quantisation}: fetched again: {', '.join(mended)}")
    return 0


@click.command("remove")
@click.argument("model")
@quantisation_option
@store_option
@wait_option
def remove_command(model: str, quantisation: str | None, store: Path, wait: float) -> None:
    """Remove a model; files that another one has stay."""
    from rackwright.models.store.asked import chosen  # noqa: PLC0415 - pydantic is slow to import
    from rackwright.models.store.lock import one_writer  # noqa: PLC0415
    from rackwright.models.store.store import Store  # noqa: PLC0415

    opened = Store(store)
    with one_writer(opened.lock, wait):
        for manifest in chosen(opened, model, quantisation):
            freed = opened.remove(manifest.model, manifest.quantisation)
            click.echo(f"{manifest.model} {manifest.quantisation}: {freed / _GIB:.1f} GiB freed")


@click.command("clean")
@store_option
@wait_option
def clean_command(store: Path, wait: float) -> None:
    """Drop what came of pulls that will not be finished."""
    from rackwright.models.store.lock import one_writer  # noqa: PLC0415 - slow to import
    from rackwright.models.store.store import Store  # noqa: PLC0415

    opened = Store(store)
    with one_writer(opened.lock, wait):
        click.echo(f"{opened.clean() / _GIB:.1f} GiB freed")


def _print_stored(manifest: Manifest, store: Path) -> None:
    tree = store / "trees" / manifest.model / manifest.quantisation
    click.echo(f"{len(manifest.files)} files, {manifest.size / _GIB:.1f} GiB from {manifest.source}: {tree}")
    if manifest.licence_of_source:
        click.echo(f"licence as {manifest.source} tells it: {manifest.licence_of_source}")


COMMANDS = (
    pull_command,
    import_command,
    export_command,
    stored_command,
    verify_command,
    remove_command,
    clean_command,
)
