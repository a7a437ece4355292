"""Files that are either old or new, never half written and never lost."""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def write_atomically(path: Path, data: bytes, mode: int) -> None:
    """Replace `path` by `data` so that a crash at any moment leaves the whole old or the whole new file.

    Args:
        path: The file; its directory must exist.
        data: The new content.
        mode: Permission bits; the file never has wider ones, not even for a moment.

    Raises:
        OSError: The directory is missing, full or not writable; the old file is untouched.
    """
    with _drafted(path, data, mode) as draft:
        draft.replace(path)
    sync_directory(path.parent)


def write_once(path: Path, data: bytes, mode: int) -> None:
    """Make `path` with `data`, whole from its first moment: who comes second finds it, and never half of it.

    Args:
        path: The file; its directory must exist.
        data: Its content.
        mode: Permission bits.

    Raises:
        FileExistsError: It is there already, and stays as it is.
        OSError: The directory is missing, full or not writable.
    """
    with _drafted(path, data, mode) as draft:
        path.hardlink_to(draft)
    sync_directory(path.parent)


@contextmanager
def _drafted(path: Path, data: bytes, mode: int) -> Iterator[Path]:
    """Have `data` on the disk beside `path`, in a file that is gone afterwards unless it was renamed.

    Its name starts with a dot: Ansible would otherwise read one that a crash left in group_vars.
    """
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".new", dir=path.parent)
    draft = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fchmod(stream.fileno(), mode)
            os.fsync(stream.fileno())
        yield draft
    finally:
        draft.unlink(missing_ok=True)


def sync_directory(directory: Path) -> None:
    """Make renames in `directory` outlive a power cut."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Hold the lock of `directory`, so that two runs at the same time do not overwrite each other's work.

    The lock is on the directory itself: nothing is left behind, and a killed process lets go of it.
    """
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
