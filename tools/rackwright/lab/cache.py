"""What the lab keeps between runs: package archives, the shared package cache's files, logs."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CACHE_VARIABLE = "RACKWRIGHT_CACHE"


def cache_directory() -> Path:
    """Return the cache's directory, made if it is missing: RACKWRIGHT_CACHE, else ~/.cache/rackwright."""
    named = os.environ.get(CACHE_VARIABLE)
    path = Path(named).expanduser().resolve() if named else Path.home() / ".cache" / "rackwright"
    path.mkdir(parents=True, exist_ok=True)
    return path


def subdirectory(name: str) -> Path:
    """Return a directory inside the cache, made if it is missing."""
    path = cache_directory() / name
    path.mkdir(parents=True, exist_ok=True)
    return path


@contextmanager
def exclusive(name: str) -> Iterator[None]:
    """Hold a lock against other processes that use the same cache; waits until it is free."""
    path = cache_directory() / f"{name}.lock"
    with path.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
