"""What the lab keeps between runs: package archives, the shared package cache's files, logs."""

from __future__ import annotations

import fcntl
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from rackwright.site.paths import cache_directory

# The process number of the daemon that the lab started; outlives an emptied cache.
DAEMON_RECORD = "dockerd.pid"


def empty_cache() -> None:
    """Remove everything in the cache but the record of a daemon that the lab started."""
    for path in cache_directory().iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        elif path.name != DAEMON_RECORD:
            path.unlink()


@contextmanager
def exclusive(name: str) -> Iterator[None]:
    """Hold a lock against other processes that use the same cache; waits until it is free."""
    path = cache_directory() / f"{name}.lock"
    with path.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
