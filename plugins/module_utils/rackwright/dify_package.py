"""A plugin's package (`.difypkg`): who it says it is, and the checksum that the daemon knows it by."""

from __future__ import annotations

import hashlib
import re
import zipfile
from dataclasses import dataclass
from pathlib import Path

_FIELD = re.compile(r"^(author|name|version):\s*['\"]?([^'\"#\s]+)", re.MULTILINE)


class PackageError(Exception):
    """A file that is no plugin's package."""


@dataclass(frozen=True)
class Package:
    """What identifies a package.

    Attributes:
        plugin_id: `author/name`.
        identifier: `author/name:version@checksum`, as the plugin daemon makes it.
    """

    plugin_id: str
    identifier: str


def read_package(path: Path) -> Package:
    """Read a package's manifest and checksum.

    Raises:
        PackageError: It is no archive, or its manifest lacks author, name or version.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            contents = {info.filename: archive.read(info) for info in archive.infolist()}
    except (OSError, zipfile.BadZipFile) as error:
        raise PackageError(f"{path}: {error}") from error
    manifest = contents.get("manifest.yaml", b"").decode(errors="replace")
    fields = dict(reversed(_FIELD.findall(manifest)))
    missing = [key for key in ("author", "name", "version") if key not in fields]
    if missing:
        raise PackageError(f"{path}: manifest.yaml says no {', '.join(missing)}")
    plugin_id = f"{fields['author']}/{fields['name']}"
    return Package(plugin_id, f"{plugin_id}:{fields['version']}@{checksum(contents)}")


def checksum(contents: dict[str, bytes]) -> str:
    """Return the checksum of a package: of the checksums of all names and contents, by name."""
    whole = hashlib.sha256()
    for name in sorted(contents):
        whole.update(hashlib.sha256(name.encode()).digest())
        whole.update(hashlib.sha256(contents[name]).digest())
    return whole.hexdigest()
