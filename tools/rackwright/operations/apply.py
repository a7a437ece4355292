"""Runs a playbook under the live display and says at the end what it did."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from rackwright.operations.progress import RunProgress, clock, print_summary
from rackwright.operations.runner import Run, expected_seconds, expected_tasks, run_playbook


def apply_site(
    console: Console, playbook: str, inventories: Sequence[Path], arguments: Sequence[str] = ()
) -> Run:
    """Run a playbook, show it live, print the summary.

    Args:
        console: where to show it.
        playbook: path below the repository's root.
        inventories: inventory sources.
        arguments: further arguments of ansible-playbook.

    Raises:
        RackwrightError: the playbook or an inventory does not exist.
    """
    progress = RunProgress(
        console,
        playbook,
        expected_tasks=expected_tasks(playbook),
        expected_seconds=expected_seconds(playbook),
    )
    with progress:
        run = run_playbook(playbook, inventories, on_event=progress.on_event, arguments=arguments)
    print_summary(console, run.recap, seconds=run.seconds)
    verdict = (
        "[bold green]successful[/bold green]" if run.successful else f"[bold red]{run.status}[/bold red]"
    )
    console.print(f"\n{playbook}: {verdict} after {clock(run.seconds)}; log: {run.log}", soft_wrap=True)
    if not run.successful and not run.recap.failed:
        # Refused before a task ran (a syntax error, an inventory that cannot be read): the log says why.
        console.print(run.log.read_text(encoding="utf-8")[-4000:], markup=False, highlight=False)
    return run
