"""Keeps what the project's own YAML files say, from run to run: Ansible parses and copies all of them anew.

A file is known by its path, size, number and times. Only files of the checkout are kept, never a site's
inventory, nor anything out of a vault. What is kept is one file of the cache, which nobody else may write to.

Made for ansible-core 2.19; with another version nothing is done here.
"""

from __future__ import annotations

import atexit
import hashlib
import os
import pickle
import stat
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from functools import wraps
from pathlib import Path
from typing import Any

from ansible._internal._datatag._tags import SourceWasEncrypted
from ansible.parsing.dataloader import DataLoader
from ansible.release import __version__ as ansible_version

from rackwright.errors import RackwrightError
from rackwright.site.paths import cache_directory, repository_root

VERSION = "2.19."
# A change within the same tick of the file system's clock as the look would not be seen: seconds.
SETTLED = 2.0
# Below the checkout; what else is there is a site's, or not Ansible's.
_PARTS = ("roles", "playbooks", "group_vars", "site.yml", "versions.yml")
_Key = tuple[str, bool]
_Signature = tuple[int, ...]
_Load = Callable[..., Any]


def install() -> None:
    """Keep what is parsed from now on; use what was kept before."""
    if ansible_version.startswith(VERSION) and not hasattr(DataLoader.load_from_file, "__wrapped__"):
        with suppress(RackwrightError, OSError):
            DataLoader.load_from_file = _keeping(DataLoader.load_from_file, Kept(repository_root()))


class Kept:
    """What the files of one checkout say, each as Ansible's own pickled data."""

    def __init__(self, root: Path) -> None:
        """Read what an earlier run kept.

        Args:
            root: The checkout.

        Raises:
            OSError: There is no cache to be had.
        """
        about = f"{root}\0{ansible_version}\0{sys.version}\0{pickle.HIGHEST_PROTOCOL}"
        name = hashlib.sha256(about.encode()).hexdigest()[:16]
        self._place = cache_directory("parsed") / name
        self._within = tuple(f"{root / part}{'' if '.' in part else os.sep}" for part in _PARTS)
        self._new = False
        self._entries: dict[_Key, tuple[_Signature, bytes]] = {}
        with suppress(OSError, ValueError, EOFError, pickle.UnpicklingError):
            if _private(self._place.parent) and _private(self._place):
                self._entries = pickle.loads(self._place.read_bytes())  # noqa: S301 - nobody else's
        atexit.register(self._write, os.getpid())

    def covers(self, path: str) -> bool:
        """Tell whether a file is one of the project's."""
        return path.startswith(self._within)

    def get(self, key: _Key) -> tuple[bool, Any]:
        """Return whether a file is as it was when it was kept, and what it says, made anew for the caller."""
        signature, packed = self._entries.get(key, ((), b""))
        if not packed or signature != _signature(key[0]):
            return False, None
        return True, pickle.loads(packed)  # noqa: S301 - as above

    def put(self, key: _Key, content: Any) -> None:  # noqa: ANN401 - whatever a file holds
        """Keep what a file says, unless it was written just now."""
        signature = _signature(key[0])
        if signature and max(signature[2:]) < (time.time() - SETTLED) * 1e9:
            self._entries[key] = (signature, pickle.dumps(content, pickle.HIGHEST_PROTOCOL))
            self._new = True

    def _write(self, process: int) -> None:
        if not self._new or os.getpid() != process:
            return
        entries = {key: entry for key, entry in self._entries.items() if _signature(key[0]) == entry[0]}
        with suppress(OSError):
            handle, name = tempfile.mkstemp(dir=self._place.parent)
            with os.fdopen(handle, "wb") as stream:
                pickle.dump(entries, stream, pickle.HIGHEST_PROTOCOL)
            Path(name).replace(self._place)


def _keeping(load: _Load, kept: Kept) -> _Load:
    @wraps(load)
    def load_once(
        loader: Any,  # noqa: ANN401 - Ansible ships no types
        file_name: str,
        cache: str = "all",
        unsafe: bool = False,
        json_only: bool = False,
        trusted_as_template: bool = False,
    ) -> Any:  # noqa: ANN401 - as above
        path = str(loader.path_dwim(file_name))
        options = {"json_only": json_only, "trusted_as_template": trusted_as_template}
        # What is handed out uncopied has to be the same for all.
        known = unsafe and path in loader._FILE_CACHE  # noqa: SLF001 - Ansible's own
        if known or cache != "all" or json_only or not kept.covers(path):
            return load(loader, file_name, cache=cache, unsafe=unsafe, **options)
        key = (path, trusted_as_template)
        there, content = kept.get(key)
        if not there:
            loader._FILE_CACHE.pop(path, None)  # noqa: SLF001 - as above
            content = load(loader, file_name, cache="none", unsafe=True, **options)
            if SourceWasEncrypted.is_tagged_on(content):
                return load(loader, file_name, cache=cache, unsafe=unsafe, **options)
            kept.put(key, content)
        if unsafe:
            loader._FILE_CACHE[path] = content  # noqa: SLF001 - as above
        return content

    return load_once


def _signature(path: str) -> _Signature:
    """Return what changes with a file: number, size, both times (ns); nothing where there is none."""
    try:
        about = os.stat(path)  # noqa: PTH116 - hundreds of times in a run
    except OSError:
        return ()
    return (about.st_ino, about.st_size, about.st_mtime_ns, about.st_ctime_ns)


def _private(path: Path) -> bool:
    """Tell whether none but this user and root may write to something: what is in it is run, in a way."""
    about = path.stat()
    return about.st_uid in (0, os.geteuid()) and not about.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
