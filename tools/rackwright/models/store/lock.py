"""One writer at a time, over processes and hosts; a writer that dies leaves no lock behind."""

from __future__ import annotations

import fcntl
import json
import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rackwright.models.store.files import StoreError

_PAUSE = 0.2


@contextmanager
def one_writer(path: Path, wait: float = 0.0, sleep: Callable[[float], None] = time.sleep) -> Iterator[None]:
    """Hold a lock file while the block runs.

    The kernel holds the lock, not the file's being there: it ends with the process, however that ends, and on
    a network file system with the host's lease. What stands in the file tells who holds it.

    Args:
        path: The lock file; it stays.
        wait: Seconds to wait for another writer.
        sleep: How to wait.

    Raises:
        StoreError: Another writer holds it, and still does after the wait.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        _acquire(descriptor, path, wait, sleep)
        holder = json.dumps({"host": socket.gethostname(), "pid": os.getpid()})
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, holder.encode(), 0)
        yield
        os.ftruncate(descriptor, 0)
    finally:
        os.close(descriptor)


def _acquire(descriptor: int, path: Path, wait: float, sleep: Callable[[float], None]) -> None:
    waited = 0.0
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if waited >= wait:
                raise StoreError(
                    f"another process writes to the store: {_holder(path)}",
                    hint="wait for it (--wait 3600), or end it",
                ) from error
        else:
            return
        sleep(_PAUSE)
        waited += _PAUSE


def _holder(path: Path) -> str:
    try:
        holder = json.loads(path.read_text(encoding="utf-8"))
        return f"process {holder['pid']} on {holder['host']}"
    except (OSError, ValueError, KeyError, TypeError):
        return f"the holder of {path}"
