"""`rackwright bundle verify|show`: is a bundle whole, and what is in it."""

from __future__ import annotations

import json
from pathlib import Path

import click
from rich.filesize import decimal

from rackwright.cli.options import json_option
from rackwright.errors import RackwrightError

bundle_argument = click.argument(
    "bundle", type=click.Path(exists=True, file_okay=False, path_type=Path, resolve_path=True)
)
signer_option = click.option(
    "--signer", help="Fingerprint of the key that you trust; default: this machine's own."
)


@click.command("verify")
@bundle_argument
@signer_option
@json_option
def verify_command(bundle: Path, signer: str | None, as_json: bool) -> None:
    """Check every file of a bundle.

    Reads all of them against the signed manifest; exits with 1 and names what is wrong.
    """
    from rackwright.bundle.manifest import read  # noqa: PLC0415 - slow to import
    from rackwright.bundle.verify import verify  # noqa: PLC0415
    from rackwright.cli.bundle_progress import counted  # noqa: PLC0415

    size = read(bundle).size
    trusted = signer or _own()
    with counted("read", size) as report:
        manifest, damages = verify(bundle, trusted, report)
    if as_json:
        told = {
            "digest": manifest.digest,
            "files": len(manifest.entries),
            "damaged": [vars(each) for each in damages],
        }
        click.echo(json.dumps(told, indent=2))
    else:
        for damage in damages:
            click.echo(str(damage))
        click.echo(
            f"{len(manifest.entries)} files, {decimal(manifest.size)}, manifest {manifest.digest[:16]}, "
            f"signed by {trusted}: " + (f"{len(damages)} damaged" if damages else "whole")
        )
    if damages:
        raise SystemExit(1)


def _own() -> str:
    """Return the fingerprint of this machine's own key, where it has one: whoever builds has."""
    from rackwright.bundle import sign  # noqa: PLC0415 - slow to import

    try:
        return sign.fingerprint()
    except RackwrightError as error:
        raise RackwrightError(
            "whose signature do you trust? This machine has no key of its own",
            hint="write --signer and the fingerprint that came another way than the bundle did",
        ) from error


@click.command("show")
@bundle_argument
@click.option("--kind", help="Only files of this kind: package, image, wheel, model, file, …")
@json_option
def show_command(bundle: Path, kind: str | None, as_json: bool) -> None:
    """Show what is in a bundle."""
    from dataclasses import asdict  # noqa: PLC0415

    from rich.table import Table  # noqa: PLC0415 - slow to import

    from rackwright.bundle.manifest import read  # noqa: PLC0415
    from rackwright.cli.tables import console  # noqa: PLC0415

    manifest = read(bundle)
    kinds = dict.fromkeys(entry.kind for entry in manifest.entries)
    if kind and kind not in kinds:
        raise RackwrightError(f"--kind {kind}: none of it is in here", hint=f"there are: {', '.join(kinds)}")
    entries = [entry for entry in manifest.entries if kind in {None, entry.kind}]
    if as_json:
        click.echo(json.dumps([asdict(entry) for entry in entries], indent=2))
        return
    systems = ", ".join(manifest.systems)
    size, name = decimal(manifest.size), manifest.digest[:16]
    title = f"bundle of {manifest.site} for {systems}, manifest {name}, {size}"
    console().print(title)
    table = Table()
    if kind:
        for column in ("Name", "Version", "Size", "Path"):
            table.add_column(column, overflow="fold", justify="right" if column == "Size" else "left")
        for entry in entries:
            table.add_row(entry.name, entry.version, decimal(entry.size), entry.path)
    else:
        for column in ("Kind", "Files", "Size"):
            table.add_column(column, justify="left" if column == "Kind" else "right")
        for name in kinds:
            of_kind = [entry for entry in entries if entry.kind == name]
            table.add_row(name, str(len(of_kind)), decimal(sum(entry.size for entry in of_kind)))
    console().print(table)
