"""`rackwright bundle verify|show`: is a bundle whole, and what is in it."""

from __future__ import annotations

import json
from pathlib import Path

import click

from rackwright.cli.options import json_option

_MB = 1e6

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
    """Read every file of a bundle against its signed manifest; exits with 1 and names what is wrong."""
    from rackwright.bundle import sign  # noqa: PLC0415 - slow to import
    from rackwright.bundle.manifest import read  # noqa: PLC0415
    from rackwright.bundle.verify import verify  # noqa: PLC0415
    from rackwright.cli.bundle_progress import counted  # noqa: PLC0415

    trusted = signer or sign.fingerprint()
    with counted("read", read(bundle).size) as report:
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
            f"{len(manifest.entries)} files, {manifest.size / _MB:.1f} MB, manifest {manifest.digest[:16]}: "
            + (f"{len(damages)} damaged" if damages else "whole")
        )
    if damages:
        raise SystemExit(1)


@click.command("show")
@bundle_argument
@click.option("--kind", help="Only files of this kind: package, image, wheel, model, file, …")
@json_option
def show_command(bundle: Path, kind: str | None, as_json: bool) -> None:
    """Show what is in a bundle: by kind, or the files of one kind."""
    from dataclasses import asdict  # noqa: PLC0415

    from rich.table import Table  # noqa: PLC0415 - slow to import

    from rackwright.bundle.manifest import read  # noqa: PLC0415
    from rackwright.cli.tables import console  # noqa: PLC0415

    manifest = read(bundle)
    entries = [entry for entry in manifest.entries if kind in {None, entry.kind}]
    if as_json:
        click.echo(json.dumps([asdict(entry) for entry in entries], indent=2))
        return
    systems = ", ".join(manifest.systems)
    size, name = f"{manifest.size / _MB:.1f} MB", manifest.digest[:16]
    title = f"bundle of {manifest.site} for {systems}, manifest {name}, {size}"
    console().print(title)
    table = Table()
    if kind:
        for column in ("Name", "Version", "MB", "Path"):
            table.add_column(column, overflow="fold", justify="right" if column == "MB" else "left")
        for entry in entries:
            table.add_row(entry.name, entry.version, f"{entry.size / _MB:.2f}", entry.path)
    else:
        for column in ("Kind", "Files", "MB"):
            table.add_column(column, justify="left" if column == "Kind" else "right")
        for name in dict.fromkeys(entry.kind for entry in entries):
            of_kind = [entry for entry in entries if entry.kind == name]
            table.add_row(name, str(len(of_kind)), f"{sum(entry.size for entry in of_kind) / _MB:.1f}")
    console().print(table)
