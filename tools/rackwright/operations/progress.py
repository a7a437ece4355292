"""The live display of a run: hosts, what each does, failures, time left."""

from __future__ import annotations

import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from rackwright.operations.events import Recap, TaskResult, task_result
from rackwright.plan.collect import hosts_of
from rackwright.plan.text import host_lines

# A run below so many seconds kept nobody waiting.
_WORTH_EXPLAINING = 5
_STATUS_STYLES = {"ok": "green", "changed": "yellow", "failed": "bold red", "unreachable": "bold red"}


def clock(seconds: float) -> str:
    """Return a duration as ``m:ss``."""
    minutes, rest = divmod(max(0, round(seconds)), 60)
    return f"{minutes}:{rest:02d}"


class RunProgress:
    """Shows a run while it goes on; where there is no terminal it prints a line per play and per failure.

    Args:
        console: where to show it.
        title: what is being run.
        expected_tasks: tasks that the last successful run started, for the bar; None when there was none.
        expected_seconds: how long that run took.
    """

    def __init__(
        self, console: Console, title: str, *, expected_tasks: int | None, expected_seconds: float | None
    ) -> None:
        self._console = console
        self._title = title
        self._expected_tasks = expected_tasks
        self._expected_seconds = expected_seconds
        self._started = time.monotonic()
        self._recap = Recap()
        self._current: dict[str, str] = {}
        self._live = Live(
            get_renderable=self._render,
            console=console,
            refresh_per_second=4,
            transient=True,
            redirect_stderr=False,
        )

    def __enter__(self) -> RunProgress:
        """Start the display."""
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Take the display away; the summary that follows stays."""
        if self._console.is_terminal:
            self._live.stop()

    def on_event(self, event: Mapping[str, Any], recap: Recap) -> None:
        """Take in one event of the run."""
        self._recap = recap
        result = task_result(event)
        if event.get("event") == "runner_on_start":
            data = event.get("event_data") or {}
            self._current[str(data.get("host"))] = str(data.get("task"))
        elif result is not None:
            self._current.pop(result.host, None)
            if result.status in {"failed", "unreachable"}:
                self._console.print(failure(result))
        elif event.get("event") == "playbook_on_play_start" and not self._console.is_terminal:
            self._console.print(f"[{clock(time.monotonic() - self._started)}] {recap.play}", markup=False)

    def _render(self) -> RenderableType:
        elapsed = time.monotonic() - self._started
        head = Table.grid(padding=(0, 2))
        head.add_row(
            Text(self._title, style="bold"), Text(self._recap.play, style="cyan"), Text(clock(elapsed))
        )
        hosts = Table(box=None, padding=(0, 2), show_edge=False)
        hosts.add_column("host", style="bold", no_wrap=True)
        for status in ("ok", "changed", "failed"):
            hosts.add_column(status, justify="right", style=_STATUS_STYLES[status])
        hosts.add_column("now", overflow="ellipsis", no_wrap=True)
        for host, counts in sorted(self._recap.counts.items()):
            failed = counts["failed"] + counts["unreachable"]
            hosts.add_row(
                host, str(counts["ok"]), str(counts["changed"]), str(failed), self._current.get(host, "")
            )
        return Group(head, self._bar(elapsed), hosts)

    def _bar(self, elapsed: float) -> RenderableType:
        if not self._expected_tasks or not self._expected_seconds:
            return Text(f"task {self._recap.tasks_started}: {self._recap.task}", style="dim")
        share = min(1.0, self._recap.tasks_started / self._expected_tasks)
        # Where both estimates exist the slower one is the honest one.
        left = max(self._expected_seconds - elapsed, elapsed * (1 - share) / share if share else 0.0)
        row = Table.grid(padding=(0, 2))
        row.add_row(
            ProgressBar(total=self._expected_tasks, completed=self._recap.tasks_started, width=40),
            Text(f"about {clock(left)} left", style="dim"),
            Text(self._recap.task, style="dim"),
        )
        return row


def failure(result: TaskResult) -> Text:
    """Return a failed task as an operator wants to read it."""
    where = f"{result.role} : {result.task}" if result.role else result.task
    return Text.assemble(
        (f"{result.status.upper()} ", "bold red"),
        (result.host, "bold"),
        f"  {where}\n",
        (result.message, "red"),
    )


def print_summary(console: Console, recap: Recap, *, seconds: float, slow: int = 5) -> None:
    """Print what a run changed, what failed and what took long."""
    table = Table(box=None, padding=(0, 2), show_edge=False)
    table.add_column("host", style="bold")
    for status in ("ok", "changed", "failed", "unreachable", "skipped"):
        table.add_column(status, justify="right", style=_STATUS_STYLES.get(status, "dim"))
    for host, counts in sorted(recap.counts.items()):
        table.add_row(
            host, *(str(counts[name]) for name in ("ok", "changed", "failed", "unreachable", "skipped"))
        )
    console.print(table)
    changed = [plan for plan in hosts_of(recap.results) if plan.items]
    console.print("\n[bold]Changed[/bold]" if changed else "\nNothing changed.")
    for plan in changed:
        for line in host_lines(plan):
            console.print(line, soft_wrap=True)
    if seconds > _WORTH_EXPLAINING:
        console.print("\n[bold]Took longest[/bold]")
        for name, took in recap.slowest(slow):
            console.print(f"  {took:6.1f} s  {name}", markup=False)
    for result in recap.failed:
        console.print()
        console.print(failure(result))
