"""What a run is made of on the control node, as one digest: files, options, surroundings.

Files are known by number, size and both times, as in `parsed`: what is in them is never read for that.
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from ansible import context
from ansible.release import __version__ as ansible_version

# At the top of the checkout: what no host is made from, or other sites'.
_ASIDE = frozenset({"tests", "docs", "bench", "build", "dist", "inventories"})
# What is only looked at to find one's way, or by the tools for themselves.
_PASSING = ("/proc/", "/dev/", "/sys/", "/usr/lib/", "/usr/share/", "/etc/ssl/", "/lib/")
# An inventory in a directory with more than that is not looked through.
MOST_FILES = 20_000
# Where a run leaves its own things, and how it looks; ansible-runner names other places in every run.
_SURROUNDINGS_ASIDE = frozenset(
    f"ANSIBLE_{name}"
    for name in (
        "CACHE_PLUGIN_CONNECTION",
        "CALLBACK_PLUGINS",
        "FORCE_COLOR",
        "LOCAL_TEMP",
        "LOG_PATH",
        "NOCOLOR",
        "RETRY_FILES_SAVE_PATH",
        "SSH_CONTROL_PATH",
        "SSH_CONTROL_PATH_DIR",
        "STDOUT_CALLBACK",
    )
)
_OPTIONS_ASIDE = frozenset({"verbosity", "args", "func", "vault_password_files", "forks"})

Signature = tuple[int, ...]


class TooManyFilesError(Exception):
    """There is more than is worth looking through."""


def signature(path: str) -> Signature:
    """Return what changes with a file or a directory; nothing where there is none."""
    try:
        about = os.stat(path)  # noqa: PTH116 - thousands of times in a run
    except OSError:
        return ()
    return (about.st_ino, about.st_size, about.st_mtime_ns, about.st_ctime_ns)


def tree(root: Path, aside: frozenset[str] = frozenset()) -> Iterator[tuple[str, Signature]]:
    """Give every file below a directory with its signature, but hidden ones and what Python makes.

    Args:
        root: The directory.
        aside: Names at its top that are left out.
    """
    waiting, found = [str(root)], 0
    while waiting:
        directory = waiting.pop()
        with os.scandir(directory) as entries:
            for entry in entries:
                if entry.name.startswith((".", "__pycache__")) or entry.name.endswith(".egg-info"):
                    continue
                if entry.name in aside and directory == str(root):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(entry.path)
                    continue
                found += 1
                if found > MOST_FILES:
                    raise TooManyFilesError(str(root))
                yield entry.path, signature(entry.path)


def digest(*parts: object) -> str:
    """Return the digest of anything with a faithful `repr`."""
    return hashlib.sha256("\0".join(map(repr, parts)).encode()).hexdigest()


def run_digest(root: Path, sources: Iterable[str], variables: Mapping[str, Any]) -> str:
    """Return the digest of all that is the same for every play of a run.

    Args:
        root: The checkout.
        sources: The run's inventory sources.
        variables: Given on the command line.

    Raises:
        OSError: A directory cannot be read.
        TooManyFilesError: One holds more than is worth looking through.
    """
    given = [*(context.CLIARGS.get("args") or ()), *(source for source in sources if "," not in source)]
    places = dict.fromkeys(map(_directory, given))
    places.pop(root, None)
    files = [sorted(tree(root, _ASIDE)), *(sorted(tree(place)) for place in places)]
    options = {key: value for key, value in context.CLIARGS.items() if key not in _OPTIONS_ASIDE}
    surroundings = sorted(
        (name, value)
        for name, value in os.environ.items()
        if name.startswith(("ANSIBLE_", "RACKWRIGHT_")) and name not in _SURROUNDINGS_ASIDE
    )
    return digest(
        files,
        sorted((key, repr(value)) for key, value in options.items()),
        sorted((key, repr(value)) for key, value in variables.items()),
        surroundings,
        os.environ.get("HOME"),
        ansible_version,
        sys.version,
        os.geteuid(),
    )


def _directory(source: str) -> Path:
    path = Path(source).resolve()
    return path if path.is_dir() else path.parent


class Opened:
    """Files from elsewhere that this process has read, or folders that it has listed, since the start."""

    def __init__(self, within: Iterable[Path]) -> None:
        """Listen from now on, for as long as the process lives.

        Args:
            within: Places that are known otherwise.
        """
        self.paths: set[str] = set()
        self._within = tuple(f"{place}{os.sep}" for place in (*within, sys.prefix, sys.base_prefix))
        sys.addaudithook(self._hear)

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            path, mode, flags = arguments[0], arguments[1], arguments[2]
            writing = (
                flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT) if mode is None else set(mode) & set("wax+")
            )
            if writing:
                return
        elif event in {"os.listdir", "os.scandir"}:
            path = arguments[0]
        else:
            return
        if isinstance(path, bytes):
            path = os.fsdecode(path)
        if isinstance(path, str | os.PathLike):
            self.paths.add(os.fspath(path))

    def signatures(self) -> dict[str, list[int]]:
        """Return those from elsewhere, each with its signature."""
        found = {}
        for path in sorted({os.path.abspath(name) for name in self.paths}):  # noqa: PTH100 - thousands of them
            if not path.startswith((*self._within, *_PASSING)):
                found[path] = list(signature(path))
        return found
