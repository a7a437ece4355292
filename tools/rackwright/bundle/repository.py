"""A flat package repository, written from the archive's signed indexes: the same packages, the same bytes."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

from rackwright.bundle.apt import Deb
from rackwright.bundle.manifest import Entry
from rackwright.bundle.systems import System

POOL = "apt/pool"
# What a repository of binary packages needs of an entry first; the rest follows by name.
_FIRST = ("Package", "Version", "Architecture", "Filename", "Size", "SHA256")
_LEFT_OUT = frozenset({"MD5sum", "SHA1", "Description-md5"})


@dataclass(frozen=True)
class Repository:
    """The index of one system's packages.

    Attributes:
        directory: In the tree, `apt/debian-13/amd64`.
        packages: The file Packages.
        packed: The same, by gzip.
        release: The file Release, which is signed.
    """

    directory: str
    packages: bytes
    packed: bytes
    release: bytes

    def files(self) -> dict[str, bytes]:
        """Return the repository's own files by their names in the tree."""
        named = {"Packages": self.packages, "Packages.gz": self.packed, "Release": self.release}
        return {f"{self.directory}/{name}": content for name, content in named.items()}


def directory_of(system: System) -> str:
    """Return where a system's repository is in the tree."""
    return f"apt/{system.name}/{system.architecture}"


def pool_path(system: System, deb: Deb) -> str:
    """Return a package's place in the tree; one file serves all systems that have the same."""
    return f"{POOL}/{system.distribution}/{deb.stanza['Package'][:1]}/{deb.file}"


def build(system: System, debs: Iterable[Deb], dates: Sequence[str]) -> Repository:
    """Write the index of a system's packages.

    Args:
        system: The system.
        debs: Its packages.
        dates: Of the archive's release files; the newest is the repository's: nothing depends on today.
    """
    # apt takes file names from the base that all systems share, …/apt/, not from the directory of one.
    entries = sorted(debs, key=lambda deb: deb.file)
    text = "\n".join(_stanza(deb, pool_path(system, deb).removeprefix("apt/")) for deb in entries)
    packages = text.encode()
    packed = gzip.compress(packages, mtime=0)
    newest = max((parsedate_to_datetime(date) for date in dates), default=None)
    stamp = newest.strftime("%a, %d %b %Y %H:%M:%S UTC") if newest else "Wed, 01 Jan 2020 00:00:00 UTC"
    lines = [
        "Origin: Rackwright",
        "Label: Rackwright bundle",
        # As a host's sources name it, or apt says that it expected something else.
        f"Suite: {system.text}",
        f"Codename: {system.codename}",
        f"Date: {stamp}",
        f"Architectures: {system.architecture}",
        "Acquire-By-Hash: no",
        "SHA256:",
        *(
            f" {hashlib.sha256(content).hexdigest()} {len(content)} {name}"
            for name, content in (("Packages", packages), ("Packages.gz", packed))
        ),
    ]
    return Repository(directory_of(system), packages, packed, ("\n".join(lines) + "\n").encode())


def entry_of(system: System, deb: Deb) -> Entry:
    """Return a package's entry in the manifest."""
    return Entry(
        path=pool_path(system, deb),
        sha256=deb.sha256,
        size=deb.size,
        kind="package",
        name=deb.stanza["Package"],
        version=deb.stanza["Version"],
        source=f"{system.distribution} {deb.stanza['Filename']}",
    )


def _stanza(deb: Deb, filename: str) -> str:
    fields = {key: value for key, value in deb.stanza.items() if key not in _LEFT_OUT} | {
        "Filename": filename
    }
    order = [*_FIRST, *sorted(set(fields) - set(_FIRST))]
    return "\n".join(f"{key}: {fields[key]}" for key in order) + "\n"
