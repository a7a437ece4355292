"""`rackwright bundle plugins`: Dify's plugins with everything that they need in them."""

from __future__ import annotations

from pathlib import Path

import click
import yaml
from rich.console import Console
from rich.table import Table

from rackwright.foundry.forge import LARGEST, Forged, forge
from rackwright.foundry.resolve import GLIBC
from rackwright.foundry.sign import new_key, public_text, read_key, read_public_key
from rackwright.wheelhouse.target import ARCHITECTURES, Target

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_MB = 2**20


@click.command("plugins")
@click.argument("packages", nargs=-1, required=True, type=_FILE)
@click.option(
    "--into", type=click.Path(path_type=Path), required=True, help="Directory for the new packages."
)
@click.option(
    "--key",
    "key_path",
    type=click.Path(path_type=Path),
    required=True,
    help="The site's private key; made when absent.",
)
@click.option(
    "--publisher-key", type=_FILE, help="Public key that must have signed each package as it is given."
)
@click.option("--python", default="3.12", show_default=True, help="The plugin daemon's Python.")
@click.option(
    "--arch",
    type=click.Choice(ARCHITECTURES),
    default=ARCHITECTURES[0],
    show_default=True,
    help="Its machine.",
)
@click.option(
    "--largest-mb", default=LARGEST // _MB, show_default=True, help="What the daemon unpacks at most."
)
def command(
    packages: tuple[Path, ...],
    into: Path,
    key_path: Path,
    publisher_key: Path | None,
    python: str,
    arch: str,
    largest_mb: int,
) -> None:
    """Pack and sign Dify plugins with their wheels.

    Needs a package index; what it makes needs none. Prints what the site's inventory says of them.
    """
    key = read_key(key_path) if key_path.exists() else new_key(key_path)
    publisher = read_public_key(publisher_key) if publisher_key else None
    target = Target(python, arch, glibc=GLIBC)
    made = [forge(path, into, target, key, publisher, largest_mb * _MB) for path in packages]
    (into / "plugin-signature.pem").write_text(public_text(key), encoding="utf-8")
    console = Console(stderr=True)
    console.print(_table(made))
    if publisher is None:
        console.print(
            "No --publisher-key: nothing says that these packages are their publisher's.", style="yellow"
        )
    click.echo(_inventory(made, into), nl=False)


def _table(made: list[Forged]) -> Table:
    table = Table("plugin", "version", "wheels", "unpacked", "file", box=None, pad_edge=False)
    for forged in made:
        name, _, rest = forged.identifier.partition(":")
        size = f"{forged.size / _MB:.1f} MB"
        table.add_row(name, rest.partition("@")[0], str(len(forged.wheels)), size, str(forged.path))
    return table


def _inventory(made: list[Forged], into: Path) -> str:
    """Return the lines for the site's group_vars."""
    plugins = [{"source": str(forged.path.resolve()), "sha256": forged.sha256} for forged in made]
    lookup = f"{{{{ lookup('ansible.builtin.file', '{(into / 'plugin-signature.pem').resolve()}') }}}}\n"
    return yaml.safe_dump(
        {"dify_plugins": plugins, "dify_plugin_public_key": lookup}, sort_keys=False, width=120
    )
