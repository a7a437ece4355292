"""`rackwright bundle plan|build`: what a site needs, and all of it in one place."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from rich.filesize import decimal

from rackwright.cli.options import inventory_option
from rackwright.errors import RackwrightError

if TYPE_CHECKING:
    from rackwright.bundle.build import Places, Prepared
    from rackwright.bundle.store import Store
    from rackwright.site.inventory import Inventory

F = TypeVar("F", bound=Callable[..., Any])
_RATE = re.compile(r"(?P<number>\d+(\.\d+)?)(?P<unit>[kMG]?)")
_UNITS = {"": 1, "k": 1e3, "M": 1e6, "G": 1e9}


def build_options(function: F) -> F:
    """Add what `plan` and `build` have in common."""
    for option in reversed(
        (
            inventory_option,
            click.option("--profile", default="upstream", show_default=True, help="Profile to build from."),
            click.option("--archive", "archives", multiple=True, metavar="NAME=URL",
                         help="An archive that is elsewhere, e.g. debian=http://mirror/debian."),
            click.option("--own-archives", is_flag=True,
                         help="Debian's archives from where this machine's own apt has them."),
            click.option("--models", "models", multiple=True,
                         type=click.Path(exists=True, path_type=Path, resolve_path=True),
                         help="Store of `rackwright models`, or a folder of them; repeatable."),
            click.option("--stale", is_flag=True, help="Take indexes past their date (a frozen mirror)."),
            click.argument("bundle", type=click.Path(file_okay=False, path_type=Path, resolve_path=True)),
        )
    ):  # fmt: skip
        function = option(function)
    return function


@click.command("plan")
@build_options
def plan_command(**given: Any) -> None:  # noqa: ANN401 - click's options
    """Say what a bundle would hold, and how much is to be fetched.

    Fetches indexes alone, and the wheels, whose sizes nobody tells beforehand.
    """
    _, found, store = _prepared(**given)
    _print_plan(found, store)


@click.command("build")
@build_options
@click.option(
    "--parallel", type=click.IntRange(1, 64), default=8, show_default=True, help="Downloads at a time."
)
@click.option(
    "--rate", default="0", help="Bytes a second of all downloads together: 500k, 20M; 0 for no limit."
)
def build_command(parallel: int, rate: str, **given: Any) -> None:  # noqa: ANN401 - click's options
    """Build a bundle of all that the site needs.

    It goes on where an earlier run was cut.
    """
    from importlib.metadata import version  # noqa: PLC0415

    from rackwright.bundle import sign  # noqa: PLC0415 - slow to import
    from rackwright.bundle.build import finish  # noqa: PLC0415
    from rackwright.bundle.fetch import client, fetch_all, missing  # noqa: PLC0415
    from rackwright.cli.bundle_progress import counted  # noqa: PLC0415

    limit = _rate(rate)
    # Before hours of downloads, not after.
    signer = sign.fingerprint()
    wanted, found, store = _prepared(**given)
    _print_plan(found, store)
    todo = missing(found.jobs, store)
    with client() as web, counted("fetched", sum(job.size for job in todo)) as report:
        fetch_all(found.jobs, store, web, lambda _job, size: report(size), parallel=parallel, rate=limit)
    made = finish(wanted, found, store, version("rackwright"))
    click.echo(f"{len(made.entries)} files, {decimal(made.size)}, manifest {made.digest}")
    click.echo(f"signed by {signer}")


def _prepared(
    inventory: tuple[Path, ...],
    profile: str,
    archives: tuple[str, ...],
    own_archives: bool,
    models: tuple[Path, ...],
    stale: bool,
    bundle: Path,
) -> tuple[Any, Prepared, Store]:
    from rackwright.bundle.build import prepare  # noqa: PLC0415 - slow to import
    from rackwright.bundle.closure import wanted as wanted_of  # noqa: PLC0415
    from rackwright.bundle.fetch import client  # noqa: PLC0415
    from rackwright.bundle.store import Store  # noqa: PLC0415
    from rackwright.site.inventory import load_inventory  # noqa: PLC0415

    site = load_inventory(inventory)
    wanted = wanted_of(site)
    store = Store(bundle)
    bundle.mkdir(parents=True, exist_ok=True)
    if own_archives:
        from rackwright.lab.mirror import find_mirror  # noqa: PLC0415

        own = find_mirror()
        stale = stale or own.stale
        archives = (f"debian={own.main}", f"debian-security={own.security or ''}", *archives)
    places = _places(site, profile, archives, models, stale=stale)
    with client() as web:
        found = prepare(wanted, places, store, web, lambda text: click.echo(text, err=True))
    return wanted, found, store


def _places(
    site: Inventory, profile: str, archives: tuple[str, ...], models: tuple[Path, ...], *, stale: bool
) -> Places:
    from rackwright.bundle.build import Places  # noqa: PLC0415

    variables = site.site_variables()
    profiles = variables["source_profiles"]
    if profile not in profiles:
        raise RackwrightError(
            f"--profile {profile}: there is no such profile", hint=f"write one of: {', '.join(profiles)}"
        )
    chosen = profiles[profile]
    base = dict(chosen["archives"])
    for text in archives:
        name, separator, address = text.partition("=")
        if not separator or (name not in base):
            raise RackwrightError(f"--archive {text}: write NAME=URL", hint=f"names: {', '.join(base)}")
        base[name] = address
    folders = [str(each["path"]) for each in variables["model_sources"] if each["kind"] == "folder"] \
        if "model_sources" in variables else []  # fmt: skip
    return Places(base, chosen["registries"], (*map(str, models), *folders), stale)


def _print_plan(found: Prepared, store: Store) -> None:
    from rich.table import Table  # noqa: PLC0415 - slow to import

    from rackwright.bundle.fetch import missing  # noqa: PLC0415
    from rackwright.cli.tables import console  # noqa: PLC0415

    todo = missing(found.jobs, store)
    table = Table()
    for column in ("Kind", "Files", "Size"):
        table.add_column(column, justify="left" if column == "Kind" else "right")
    for kind, (count, size) in sorted(found.by_kind().items()):
        table.add_row(kind, str(count), decimal(size))
    console().print(table)
    fetched = decimal(sum(job.size for job in todo))
    console().print(f"{decimal(found.size())}, {fetched} of it to be fetched")


def _rate(text: str) -> float:
    match = _RATE.fullmatch(text)
    if match is None:
        raise RackwrightError(f"--rate {text}: no number of bytes a second", hint="write 500k, 20M or 1G")
    return float(match["number"]) * _UNITS[match["unit"]]
