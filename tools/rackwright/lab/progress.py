"""What `rackwright lab` shows while it works: one line per step, those of all threads together."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from types import TracebackType
from typing import Self, TypeVar

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

Item = TypeVar("Item")
Result = TypeVar("Result")


class Step:
    """One running step; its text can change while it runs."""

    def __init__(self, progress: Progress, title: str) -> None:
        self._progress = progress
        self._title = title
        self._task = progress.add_task(f"{title:<24}", total=None, note="")
        self._note = ""

    def say(self, note: str) -> None:
        """Show what the step is doing."""
        self._note = note
        self._progress.update(self._task, note=note)

    def finish(self, mark: str, seconds: float) -> None:
        """Replace the running line by a lasting one."""
        self._progress.remove_task(self._task)
        self._progress.console.print(f"{mark} {self._title:<24} {self._note:<40} [dim]{seconds:6.1f} s[/]")


class Board:
    """All steps of one operation. Use as a context; steps may be opened from several threads."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            TextColumn("[dim]{task.fields[note]}"),
            TimeElapsedColumn(),
            console=console,
            transient=True,
        )

    def __enter__(self) -> Self:
        """Start to draw."""
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop drawing; finished steps stay on the screen."""
        self._progress.stop()

    @contextmanager
    def step(self, title: str) -> Iterator[Step]:
        """Show a step for as long as the block runs; an exception marks it as failed."""
        started = time.monotonic()
        step = Step(self._progress, title)
        try:
            yield step
        except BaseException:
            step.finish("[red]✗[/]", time.monotonic() - started)
            raise
        step.finish("[green]✓[/]", time.monotonic() - started)


def in_parallel(items: list[Item], work: Callable[[Item], Result], workers: int = 8) -> list[Result]:
    """Do the work for all items at once and return the results in the items' order.

    All are waited for; then the first failure, if any, is raised.
    """
    if not items:
        return []
    with ThreadPoolExecutor(max_workers=min(workers, len(items))) as pool:
        futures = [pool.submit(work, item) for item in items]
    return [future.result() for future in futures]
