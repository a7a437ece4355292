"""How a download's progress is shown: a bar for each file on a terminal, a line now and then elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import click
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from rackwright.models.store.download import Progress as Report

_TENTHS = 10


@contextmanager
def progress() -> Iterator[Report]:
    """Yield what a download calls with path, bytes so far and size."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield _lines()
        return
    columns = (
        "{task.description}",
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as bars:
        tasks: dict[str, TaskID] = {}

        def report(path: str, done: int, size: int) -> None:
            if path not in tasks:
                tasks[path] = bars.add_task(path, total=size)
            bars.update(tasks[path], completed=done)

        yield report


def _lines() -> Report:
    told: dict[str, int] = {}

    def report(path: str, done: int, size: int) -> None:
        tenth = done * _TENTHS // size if size else _TENTHS
        if told.get(path) != tenth:
            told[path] = tenth
            click.echo(f"{path}: {tenth * 100 // _TENTHS} % of {size / 1e6:.1f} MB", err=True)

    return report
