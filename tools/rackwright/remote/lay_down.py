"""Lays the modules down on a host. It is sent there itself: standard library and Python 3.10 only."""

from __future__ import annotations

import base64
import compileall
import contextlib
import io
import os
import py_compile
import shutil
import stat
import subprocess
import tarfile
import tempfile
import time
from pathlib import Path

# A directory of an older or newer project that was used last; more than one operator may come by turns.
KEEP = 2
# What a killed installation left is cleared away after this time, in seconds.
STALE = 3600


def lay_down(root: str, name: str, archive: str, entry: str) -> None:
    """Unpack the archive as `root`/`name`, which appears complete or not at all.

    Args:
        root: Where all generations are.
        name: Name of this generation's directory: the content's checksum.
        archive: A tar archive, compressed by gzip, in base64.
        entry: The file that must be in it, which is what a call starts.

    Raises:
        PermissionError: A directory on the way may be written by others than the owner of this process.
        OSError: The disk is full, or cannot be written.
    """
    place, target = Path(root), Path(root) / name
    _prepare(place)
    if not (target / entry).is_file():
        waiting = Path(tempfile.mkdtemp(prefix=".new-", dir=place))
        try:
            _fill(waiting, base64.b64decode(archive), target)
            if target.exists():
                target.rename(Path(tempfile.mkdtemp(prefix=".old-", dir=place)) / name)
            # Another control node may have been faster: then its directory is the same.
            with contextlib.suppress(OSError):
                waiting.rename(target)
        finally:
            shutil.rmtree(waiting, ignore_errors=True)
        if not (target / entry).is_file():
            raise FileNotFoundError(str(target / entry))
    os.utime(target)
    _prune(place, target)


def _prepare(place: Path) -> None:
    """Make the directory; refuse one through which others than root could slip code under root's hands."""
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    place.chmod(0o700)
    for path in (place, *place.resolve().parents):
        about = path.stat()
        shared = about.st_mode & (stat.S_IWGRP | stat.S_IWOTH) and not about.st_mode & stat.S_ISVTX
        if about.st_uid not in (0, os.geteuid()) or shared:
            raise PermissionError(f"{path} can be changed by others; it must belong to root, with mode 0755")


def _fill(waiting: Path, archive: bytes, target: Path) -> None:
    """Unpack, compile and bring to the disk."""
    with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as members:
        for member in members:
            source = members.extractfile(member)
            if source is None:
                continue
            path = waiting / member.name
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.write_bytes(source.read())
            os.utime(path, (0, 0))
    # The name of the directory says what is in it, so no start needs to compare times.
    compileall.compile_dir(
        str(waiting),
        quiet=2,
        stripdir=str(waiting),
        prependdir=str(target),
        invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
    )
    # Before the rename: after a power failure it must not be there with empty files.
    subprocess.run(["sync", "-f", str(waiting)], check=True, capture_output=True)


def _prune(place: Path, target: Path) -> None:
    """Remove the generations that were laid down longest ago."""
    generations = sorted(
        (path for path in place.iterdir() if path != target and not path.name.startswith(".")),
        key=lambda path: path.stat().st_mtime,
        reverse=True,
    )
    gone = [path for path in place.iterdir() if path.name.startswith(".old-")]
    gone += [
        path for path in place.glob(".new-*") if path.exists() and time.time() - path.stat().st_mtime > STALE
    ]
    for path in (*generations[KEEP - 1 :], *gone):
        shutil.rmtree(path, ignore_errors=True)
