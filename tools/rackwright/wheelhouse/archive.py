"""A tar file whose bytes depend on nothing but the names and contents of its files."""

from __future__ import annotations

import hashlib
import tarfile
from collections.abc import Mapping
from pathlib import Path

# The oldest time that a zip file, and so a wheel, can hold.
EPOCH = 315532800
_BLOCK = 1 << 20


def write_archive(destination: Path, files: Mapping[str, Path]) -> None:
    """Write a tar file.

    Args:
        destination: The tar file.
        files: Names in the archive and what stands behind them.
    """
    # Not compressed: wheels are.
    with tarfile.open(destination, "w", format=tarfile.PAX_FORMAT) as archive:
        for name in sorted(files):
            member = tarfile.TarInfo(name)
            member.size = files[name].stat().st_size
            member.mtime = EPOCH
            member.mode = 0o644
            with files[name].open("rb") as content:
                archive.addfile(member, content)


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as reader:
        while block := reader.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()
