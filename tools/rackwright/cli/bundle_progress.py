"""How the work on a bundle is shown: one bar on a terminal, a line at each tenth elsewhere."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn, TransferSpeedColumn

_TENTHS = 10


@contextmanager
def counted(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """Yield what is called with the bytes that are done since the last call, from any thread."""
    console = Console(stderr=True)
    lock = threading.Lock()
    if not console.is_terminal:
        done, told = 0, 0

        def line(size: int) -> None:
            nonlocal done, told
            with lock:
                done += size
                tenth = done * _TENTHS // total if total else _TENTHS
                if tenth > told:
                    told = tenth
                    click.echo(f"{what}: {tenth * 100 // _TENTHS} % of {total / 1e6:.1f} MB", err=True)

        yield line
        return
    columns = (
        "{task.description}",
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as bars:
        task = bars.add_task(what, total=total)
        yield lambda size: bars.advance(task, size)
