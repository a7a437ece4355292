"""`rackwright bundle diff|split|join|prune`: bundles on their way, and what changed between two."""

from __future__ import annotations

import re
from pathlib import Path

import click
from rich.filesize import decimal

from rackwright.cli.bundle_look import bundle_argument
from rackwright.errors import RackwrightError

_SIZE = re.compile(r"(?P<number>\d+)(?P<unit>[MG])")
_UNITS = {"M": 1 << 20, "G": 1 << 30}
out_argument = click.argument("out", type=click.Path(file_okay=False, path_type=Path, resolve_path=True))


@click.command("diff")
@click.argument("old", type=click.Path(exists=True, path_type=Path, resolve_path=True))
@bundle_argument
@click.option(
    "--output",
    type=click.Path(file_okay=False, path_type=Path, resolve_path=True),
    help="Write what changed as a differential bundle.",
)
def diff_command(old: Path, bundle: Path, output: Path | None) -> None:
    """Say what changed between two bundles, and how much it is.

    OLD is a bundle, or the manifest.json of one; what is new in BUNDLE can be written as a bundle of its own.
    """
    from rackwright.bundle.manifest import read  # noqa: PLC0415 - slow to import
    from rackwright.bundle.parts import difference, new_objects  # noqa: PLC0415
    from rackwright.cli.bundle_progress import counted  # noqa: PLC0415

    before, after = read(old), read(bundle)
    known = {entry.path: entry.sha256 for entry in before.entries}
    for entry in after.entries:
        if known.get(entry.path) != entry.sha256:
            sign = "~" if entry.path in known else "+"
            click.echo(f"{sign} {entry.path}  {decimal(entry.size)}")
    for path in sorted(set(known) - {entry.path for entry in after.entries}):
        click.echo(f"- {path}")
    changed = new_objects(before, after)
    click.echo(f"{len(changed)} contents, {decimal(sum(changed.values()))} of {decimal(after.size)} are new")
    if output:
        with counted("written", sum(changed.values())) as report:
            difference(before, bundle, output, report)
        click.echo(str(output))


@click.command("split")
@bundle_argument
@out_argument
@click.option("--size", default="4G", show_default=True, help="Of a part at most: 650M, 4G, 25G.")
def split_command(bundle: Path, out: Path, size: str) -> None:
    """Write a bundle as parts that fit on media."""
    from rackwright.bundle.manifest import read  # noqa: PLC0415 - slow to import
    from rackwright.bundle.parts import split  # noqa: PLC0415
    from rackwright.cli.bundle_progress import counted  # noqa: PLC0415

    match = _SIZE.fullmatch(size)
    if match is None:
        raise RackwrightError(f"--size {size}: no size of a part", hint="write 650M, 4G or 25G")
    with counted("written", read(bundle).size) as report:
        parts = split(bundle, out, int(match["number"]) * _UNITS[match["unit"]], report)
    for part in parts:
        click.echo(str(part))


@click.command("join")
@click.argument(
    "sources",
    nargs=-1,
    required=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path, resolve_path=True),
)
@out_argument
def join_command(sources: tuple[Path, ...], out: Path) -> None:
    """Make a bundle of parts, or of an old one and a difference.

    A difference is named last, before OUT.
    """
    from rackwright.bundle.manifest import read  # noqa: PLC0415 - slow to import
    from rackwright.bundle.parts import join  # noqa: PLC0415
    from rackwright.cli.bundle_progress import counted  # noqa: PLC0415

    with counted("joined", read(sources[-1]).size) as report:
        made = join(sources, out, report)
    click.echo(f"{out}: {len(made.entries)} files, {decimal(made.size)}, manifest {made.digest}")


@click.command("prune")
@bundle_argument
@click.option("--check", is_flag=True, help="Only say what would go.")
def prune_command(bundle: Path, check: bool) -> None:
    """Remove contents of earlier builds, and cut downloads.

    All that the bundle's manifest does not name.
    """
    from rackwright.bundle.manifest import read  # noqa: PLC0415 - slow to import
    from rackwright.bundle.store import Store  # noqa: PLC0415

    gone = Store(bundle).unwanted([read(bundle)])
    size = sum(path.stat().st_size for path in gone)
    for path in gone if not check else ():
        path.unlink()
    click.echo(f"{len(gone)} files, {decimal(size)} {'would go' if check else 'removed'}")
