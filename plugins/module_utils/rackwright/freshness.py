"""When the files that a service reads were changed last."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

_SLACK_SECONDS = 1.0


@dataclass(frozen=True)
class Newest:
    """The latest change among some paths, in seconds since the epoch; path is empty when there is none."""

    time: float = 0.0
    path: str = ""


def newest(paths: Iterable[str], now: float, foreseen: Collection[str] = ()) -> Newest:
    """Find the latest change under some paths.

    Args:
        paths: Files or directories; a directory stands for its whole tree, what does not exist for nothing.
        now: The present. What claims to be from the future (a clock was set back) would make a service look
            outdated for ever; it is passed over.
        foreseen: Paths that count as changed now, since only check mode keeps them from being written.

    Returns:
        The latest change and where it was.
    """
    result = Newest()
    for path in paths:
        written = next((new for new in foreseen if new == path or new.startswith(f"{path.rstrip('/')}/")), "")
        if written:
            return Newest(now, written)
        for entry in _tree(path):
            if foreseen and Path(entry).is_symlink() and str(Path(entry).resolve()) in foreseen:
                return Newest(now, entry)
            for moment in _moments(entry):
                if result.time < moment <= now + _SLACK_SECONDS:
                    result = Newest(moment, entry)
    return result


def _tree(path: str) -> Iterator[str]:
    yield path
    if Path(path).is_dir():
        for folder, directories, files in os.walk(path):
            for name in (*directories, *files):
                yield str(Path(folder) / name)


def _moments(path: str) -> Iterator[float]:
    """Times of change: of a file also that of its rights and of its renaming, of a link also its target's."""
    try:
        own = Path(path).lstat()
        target = Path(path).stat()
    except OSError:
        # Gone meanwhile, or a link that leads nowhere.
        return
    for status in (own, target):
        yield status.st_mtime
        # A directory's other time moves with every look that puts its time of change back.
        if not Path(path).is_dir():
            yield status.st_ctime
