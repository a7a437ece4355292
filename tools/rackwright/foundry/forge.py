"""Makes of a plugin's package one that installs with no network, and says what a site writes down of it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from cryptography.hazmat.primitives.asymmetric import rsa

from rackwright.errors import RackwrightError
from rackwright.foundry.package import Plugin, checksum, packed, read_plugin, with_wheels
from rackwright.foundry.resolve import wheels_of
from rackwright.foundry.sign import comment, is_signed_by
from rackwright.wheelhouse.target import Target

# MAX_PLUGIN_PACKAGE_SIZE of the release: what the daemon unpacks at most.
LARGEST = 52428800


@dataclass(frozen=True)
class Forged:
    """A package that was made.

    Attributes:
        path: The file.
        identifier: `author/name:version@checksum`, as the daemon knows it.
        sha256: Checksum of the file.
        wheels: File names of the wheels in it.
        size: Bytes of its files, unpacked.
    """

    path: Path
    identifier: str
    sha256: str
    wheels: tuple[str, ...]
    size: int


def forge(
    source: Path,
    into: Path,
    target: Target,
    key: rsa.RSAPrivateKey,
    publisher: rsa.RSAPublicKey | None = None,
    largest: int = LARGEST,
) -> Forged:
    """Pack a plugin with its wheels and sign it.

    Args:
        source: The plugin's package as its publisher gives it.
        into: Directory for the new one.
        target: The daemon's interpreter and machine.
        key: The site's own; the daemon is told its public half.
        publisher: Whose signature the source must have; anybody's or nobody's without one.
        largest: What the daemon unpacks at most, in bytes.

    Raises:
        RackwrightError: The source is no package, has another signature, asks for another interpreter or is
            too large; or its wheels are not to be had.
    """
    plugin = read_plugin(source)
    if publisher is not None and not is_signed_by(plugin, publisher):
        raise RackwrightError(
            f"{source.name}: the publisher's key has not signed this file",
            hint="get it again from its publisher; what nobody signed is yours to judge: leave the key out",
        )
    if plugin.python != target.python:
        raise RackwrightError(
            f"{plugin.plugin_id}: it asks for Python {plugin.python}, and the daemon has {target.python}",
            hint="take a version of the plugin for that, or name the daemon's own Python (--python)",
        )
    with TemporaryDirectory(prefix="rackwright-foundry-") as directory:
        found = wheels_of(plugin, target, Path(directory))
        wheels = {wheel.name: wheel.read_bytes() for wheel in found.values()}
        files = with_wheels(plugin, wheels, sorted(found))
    size = sum(map(len, files.values()))
    if size > largest:
        raise RackwrightError(
            f"{plugin.plugin_id}: {size / 2**20:.0f} MB packed, the daemon unpacks {largest / 2**20:.0f}",
            hint="let dify_plugin_mb and --largest-mb name more, or take a plugin that needs less",
        )
    content = packed(files, comment(files, key))
    path = into / f"{plugin.author}-{plugin.name}-{plugin.version}-{target.tag}.difypkg"
    into.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return Forged(
        path, _identifier(plugin, files), hashlib.sha256(content).hexdigest(), tuple(sorted(wheels)), size
    )


def _identifier(plugin: Plugin, files: dict[str, bytes]) -> str:
    return f"{plugin.plugin_id}:{plugin.version}@{checksum(files)}"
