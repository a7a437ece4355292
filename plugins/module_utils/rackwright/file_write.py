"""Bringing planned changes about: every file is at any moment either the old one or the new one."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from pathlib import Path

from ansible.module_utils.rackwright.file_plan import Change

_MARK = ".rackwright-tmp"


def staging_path(dest: str) -> str:
    """Where the new content of a file waits: beside it, hidden, with its ending, always the same name.

    The ending is kept because some checkers go by it; the name is fixed so that what an interrupted run
    left behind is used up by the next one.
    """
    path = Path(dest)
    return str(path.parent / f".{path.stem}{_MARK}{path.suffix}")


def make_directory(change: Change) -> None:
    """Create a directory, its missing parents (root's, 0755) and give it owner and mode."""
    path = Path(change.item.dest)
    if change.present.kind == "missing":
        path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        path.mkdir(mode=0o700)
    _give_rights(str(path), change)


def stage(change: Change, path: str) -> str:
    """Write the new content with its final owner and mode to a place of its own, on the disk for good.

    Args:
        change: A file that is to be rewritten.
        path: Where to write; on the same file system as the file when it is to be put in place.

    Returns:
        The path.
    """
    item = change.item
    with contextlib.suppress(FileNotFoundError):
        Path(path).unlink()
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        if item.content is not None:
            stream.write(item.content)
        elif item.staged is not None:
            with Path(item.staged).open("rb") as source:
                shutil.copyfileobj(source, stream, 1 << 20)
        if change.uid is not None and change.gid is not None:
            os.fchown(stream.fileno(), change.uid, change.gid)
        os.fchmod(stream.fileno(), item.mode)
        stream.flush()
        os.fsync(stream.fileno())
    return path


def put_in_place(change: Change, staged: str) -> None:
    """Let the staged file become the file, in one step.

    A file that is a mount point of its own cannot be renamed over; it alone is written in place.
    """
    dest = change.item.dest
    try:
        Path(staged).replace(dest)
    except OSError as error:
        if error.errno != errno.EBUSY:
            raise
        _overwrite(staged, dest)
        _give_rights(dest, change)
        Path(staged).unlink()


def _overwrite(source: str, dest: str) -> None:
    with Path(source).open("rb") as new, Path(dest).open("r+b") as old:
        shutil.copyfileobj(new, old, 1 << 20)
        old.truncate()
        old.flush()
        os.fsync(old.fileno())


def set_rights(change: Change) -> None:
    """Correct owner, group and mode of what is already there."""
    _give_rights(change.item.dest, change)


def _give_rights(path: str, change: Change) -> None:
    if change.uid is not None and change.gid is not None:
        os.chown(path, change.uid, change.gid)
    # After chown, which takes setuid and setgid bits away.
    Path(path).chmod(change.item.mode)


def make_link(change: Change) -> None:
    """Create or replace a symbolic link in one step."""
    dest = change.item.dest
    waiting = staging_path(dest)
    with contextlib.suppress(FileNotFoundError):
        Path(waiting).unlink()
    Path(waiting).symlink_to(str(change.item.target))
    try:
        Path(waiting).replace(dest)
    except OSError:
        Path(waiting).unlink()
        raise


def remove(change: Change) -> None:
    """Remove a file, a link or a directory with everything in it; a directory goes out of sight first."""
    dest = change.item.dest
    if change.present.kind != "directory":
        Path(dest).unlink()
        return
    waiting = staging_path(dest)
    if Path(waiting).is_dir() and not Path(waiting).is_symlink():
        shutil.rmtree(waiting)
    try:
        Path(dest).replace(waiting)
    except OSError as error:
        if error.errno not in (errno.EBUSY, errno.EXDEV):
            raise
        waiting = dest
    shutil.rmtree(waiting)


def sync_directories(paths: set[str]) -> None:
    """Put the names themselves on the disk for good."""
    for path in sorted(paths):
        with contextlib.suppress(FileNotFoundError):
            descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)


class Staging:
    """The files that wait; what is left of them is removed, and their directories look untouched.

    A directory's time of change tells `units` that a service is behind its files: a file that only waited
    there, for a check run or for a checker that refused it, must not.
    """

    def __init__(self) -> None:
        """Nothing waits yet."""
        self._waiting: dict[str, str] = {}
        self._times: dict[str, tuple[int, int]] = {}

    def add(self, change: Change, directory: str | None = None) -> str:
        """Stage a change beside its file, or in another directory; returns where."""
        path = staging_path(change.item.dest)
        if directory is not None:
            path = str(Path(directory) / Path(path).name)
        parent = str(Path(path).parent)
        if parent not in self._times:
            status = Path(parent).stat()
            self._times[parent] = (status.st_atime_ns, status.st_mtime_ns)
        self._waiting[change.item.dest] = path
        return stage(change, path)

    def path(self, dest: str) -> str:
        """Where the new content of a file waits."""
        return self._waiting[dest]

    def done(self, dest: str) -> None:
        """The file was put in place: its directory has changed in earnest."""
        self._times.pop(str(Path(self._waiting.pop(dest)).parent), None)

    def clear(self) -> None:
        """Remove what still waits."""
        for path in self._waiting.values():
            with contextlib.suppress(OSError):
                Path(path).unlink()
        for parent, times in self._times.items():
            with contextlib.suppress(OSError):
                os.utime(parent, ns=times)
        self._waiting.clear()
        self._times.clear()
