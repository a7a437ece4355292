"""What a bundle holds: the list of its files, in a form whose bytes depend on nothing else."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from rackwright.errors import RackwrightError

FORMAT = 1
NAME = "manifest.json"
SIGNATURE = "manifest.json.asc"
KEY = "signer.asc"
KINDS = ("package", "repository", "image", "wheel", "index", "model", "file", "toolkit", "document", "plugin")


class BundleError(RackwrightError):
    """A bundle cannot be built, or is not what it claims to be."""


@dataclass(frozen=True, order=True)
class Entry:
    """One file of a bundle.

    Attributes:
        path: Its name in the tree that is served and installed from.
        sha256: Of its content, which lies in the bundle once, whatever names it has.
        size: In bytes.
        kind: What it is, one of KINDS.
        name: Of the package, image or model that it is of; empty for the bundle's own.
        version: Of that.
        licence: Of that, as it is told; empty where nobody tells.
        source: Where it is from, without the mirror that gave it: `debian trixie pool/main/…`.
    """

    path: str
    sha256: str
    size: int
    kind: str
    name: str = ""
    version: str = ""
    licence: str = ""
    source: str = ""

    def __post_init__(self) -> None:
        """Refuse a path that would lead out of the tree, and a checksum that is none."""
        pure = PurePosixPath(self.path)
        if not self.path or pure.is_absolute() or ".." in pure.parts or str(pure) != self.path:
            raise BundleError(f"{self.path!r} is no path below a bundle's tree")
        if len(self.sha256) != 64 or not set(self.sha256) <= set("0123456789abcdef"):  # noqa: PLR2004
            raise BundleError(f"{self.path}: {self.sha256!r} is no SHA-256")
        if self.kind not in KINDS or self.size < 0:
            raise BundleError(f"{self.path}: kind {self.kind!r} or size {self.size} is not known")


@dataclass(frozen=True)
class Manifest:
    """A bundle's list.

    Attributes:
        site: Name of the site that it was made for.
        systems: Systems whose packages it holds, `debian-13/amd64`.
        entries: Its files, by path.
    """

    site: str
    systems: tuple[str, ...]
    entries: tuple[Entry, ...] = field(repr=False)

    def text(self) -> str:
        """Return the manifest's bytes: the same for the same files."""
        document = {
            "format": FORMAT,
            "site": self.site,
            "systems": list(self.systems),
            "files": [_sparse(entry) for entry in self.entries],
        }
        return json.dumps(document, indent=0, sort_keys=True, ensure_ascii=False) + "\n"

    @property
    def digest(self) -> str:
        """SHA-256 of the manifest, which names this version of the bundle."""
        return hashlib.sha256(self.text().encode()).hexdigest()

    def objects(self) -> dict[str, int]:
        """Return the contents by SHA-256, with their sizes; each once."""
        return {entry.sha256: entry.size for entry in self.entries}

    @property
    def size(self) -> int:
        """Bytes of all contents."""
        return sum(self.objects().values())


def make(site: str, systems: Iterable[str], entries: Iterable[Entry]) -> Manifest:
    """Return a manifest of these files.

    Raises:
        BundleError: Two files of different content have one path.
    """
    by_path: dict[str, Entry] = {}
    for entry in entries:
        other = by_path.setdefault(entry.path, entry)
        if other.sha256 != entry.sha256:
            raise BundleError(f"{entry.path} stands for two contents: {other.sha256} and {entry.sha256}")
    return Manifest(site, tuple(sorted(systems)), tuple(by_path[path] for path in sorted(by_path)))


def read(path: Path) -> Manifest:
    """Read a manifest.

    Args:
        path: The file, or the bundle's directory.

    Raises:
        BundleError: It is none, or of a newer Rackwright.
    """
    path = path / NAME if path.is_dir() else path
    if not path.is_file():
        raise BundleError(
            f"{path.parent} is no bundle: it has no {path.name}",
            hint="name the directory that has it",
        )
    try:
        document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if document["format"] != FORMAT:
            raise BundleError(
                f"{path}: its format is {document['format']}, this Rackwright reads {FORMAT}",
                hint="use the toolkit that came with the bundle",
            )
        entries = [Entry(**each) for each in document["files"]]
        return make(document["site"], document["systems"], entries)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BundleError(f"{path} is no manifest of a bundle: {error}") from error


def _sparse(entry: Entry) -> dict[str, Any]:
    return {key: value for key, value in asdict(entry).items() if value != ""}
