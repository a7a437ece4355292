"""Has the running service read its settings anew, and waits until it has: what `systemctl reload` runs.

The signal alone returns at once; whoever changed the model then believes that it is asked for, while workers
that know the old one still answer.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import click

_SECONDS = 100
"""A worker's start, and the end of its predecessor's answers, on a busy machine too."""
_PAUSE = 0.2


def workers(parent: int) -> set[int]:
    """Returns the processes that answer; the parent has others, which stay."""
    listed = Path(f"/proc/{parent}/task/{parent}/children").read_text(encoding="ascii").split()
    return {int(pid) for pid in listed if b"spawn_main" in _command(pid)}


def reload(parent: int, seconds: float = _SECONDS) -> int:
    """Replaces the workers.

    Args:
        parent: Process of the service.
        seconds: How long it may take.

    Returns:
        How many of the old workers are still there then; 0 when all is done.
    """
    before = workers(parent)
    os.kill(parent, signal.SIGHUP)
    until = time.monotonic() + seconds
    while (left := before & workers(parent)) and time.monotonic() < until:
        time.sleep(_PAUSE)
    return len(left)


@click.command("reload")
@click.argument("parent", type=int)
def command(parent: int) -> None:
    """Replace the workers of the service PARENT one by one, and wait until all are new."""
    if left := reload(parent):
        click.echo(f"{left} workers were not replaced within {_SECONDS} s; the log says why", err=True)
        sys.exit(1)


def _command(pid: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:  # it has just ended
        return b""
