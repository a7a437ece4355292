"""The stream in which a store travels: a tar whose last member tells what must be in it."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Any

from rackwright.backup.agent.shell import CHUNK, Failed

MANIFEST = ".rackwright-manifest.json"


class _Hashing:
    """A file that is read once, and its checksum with it."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.digest = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size)
        self.digest.update(data)
        return data


def send(out: IO[bytes], items: Iterable[tuple[str, Path]], facts: dict[str, Any]) -> None:
    """Write files as a stream.

    Args:
        out: Where to.
        items: Names in the stream, and the file, directory or link that each stands for.
        facts: What else the manifest says of the store.
    """
    checksums: dict[str, str] = {}
    with tarfile.open(fileobj=out, mode="w|", format=tarfile.PAX_FORMAT) as stream:
        for name, path in items:
            for entry in (
                [path, *sorted(path.rglob("*"))] if path.is_dir() and not path.is_symlink() else [path]
            ):
                inside = name if entry == path else f"{name}/{entry.relative_to(path)}"
                info = stream.gettarinfo(str(entry), arcname=inside)
                if info is None:  # a socket
                    continue
                if not info.isreg():
                    # A second name of a file is sent as a file: both have their checksum then.
                    stream.addfile(info)
                    continue
                with entry.open("rb") as file:
                    hashing = _Hashing(file)
                    stream.addfile(info, hashing)
                checksums[inside] = hashing.digest.hexdigest()
        text = json.dumps({**facts, "files": checksums}, sort_keys=True).encode()
        last = tarfile.TarInfo(MANIFEST)
        last.size = len(text)
        stream.addfile(last, io.BytesIO(text))


def receive(source: IO[bytes], into: Path) -> dict[str, Any]:
    """Unpack a stream, compare every checksum, and return its manifest.

    Raises:
        Failed: The stream is cut short, or a file is not what the manifest says.
    """
    found: dict[str, str] = {}
    manifest: dict[str, Any] | None = None
    try:
        with tarfile.open(fileobj=source, mode="r|") as stream:
            # Names are checked below, owners and modes are what is wanted back.
            stream.extraction_filter = lambda member, _path: member
            for member in stream:
                if member.name == MANIFEST:
                    text = stream.extractfile(member)
                    manifest = json.loads(text.read()) if text is not None else None
                    continue
                _check_name(member)
                stream.extract(member, into)
                if member.isreg():
                    found[member.name] = checksum(into / member.name)
    except (tarfile.TarError, EOFError, OSError) as error:
        raise Failed(f"the backup cannot be unpacked: {error}") from error
    if manifest is None:
        raise Failed("the backup ends before its manifest: it is not whole", "take the one before it")
    wanted = manifest["files"]
    wrong = sorted(name for name in {*wanted, *found} if wanted.get(name) != found.get(name))
    if wrong:
        raise Failed(
            f"{len(wrong)} of {len(wanted)} files are not what the backup's manifest says:"
            f" {', '.join(wrong[:5])}"
        )
    return manifest


def whole(_unpacked: Path, manifest: dict[str, Any]) -> int:
    """Return how many files a stream had, each of which `receive` has compared."""
    return len(manifest["files"])


def checksum(path: Path) -> str:
    """Return the SHA-256 of a file."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _check_name(member: tarfile.TarInfo) -> None:
    if member.name.startswith("/") or ".." in Path(member.name).parts:
        raise Failed(f"the backup names a file outside of it: {member.name}")
