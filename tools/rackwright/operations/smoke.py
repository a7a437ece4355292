"""Proves a site from a client's side: what the edge does, and what the platform recorded of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.table import Table
from rich.text import Text

from rackwright.errors import RackwrightError
from rackwright.operations.runner import Run, run_playbook

PLAYBOOK = "playbooks/smoke.yml"


@dataclass(frozen=True)
class Step:
    """One step of the proof.

    Attributes:
        host: where it was taken.
        name: what is proved, in a word.
        what: the same in a sentence.
        ok: whether it held.
        detail: what was seen.
        latency_ms: how long it took in milliseconds, None where that means nothing.
        skipped: the site has no such part; `detail` says which.
    """

    host: str
    name: str
    what: str
    ok: bool
    detail: str
    latency_ms: float | None
    skipped: bool = False


def smoke(inventories: Sequence[Path]) -> tuple[list[Step], Run]:
    """Run the smoke tests.

    Args:
        inventories: inventory sources; group ``outside`` must hold the machine that asks.

    Returns:
        The steps in the order they were taken, and the run.

    Raises:
        RackwrightError: no step was taken.
    """
    run = run_playbook(PLAYBOOK, inventories)
    steps = [
        Step(
            host=result.host,
            name=str(entry["name"]),
            what=str(entry.get("what") or ""),
            ok=bool(entry["ok"]),
            detail=str(entry.get("detail") or ""),
            latency_ms=entry.get("latency_ms"),
            skipped=bool(entry.get("skipped")),
        )
        for result in run.recap.results
        for entry in result.result.get("steps") or ()
    ]
    told = {step.host for step in steps}
    steps += [
        Step(result.host, "run", result.task, ok=False, detail=result.message, latency_ms=None)
        for result in run.recap.failed
        if result.host not in told or not result.result.get("steps")
    ]
    if not steps:
        raise RackwrightError("no step was taken", hint=f"the run's output is in {run.log}")
    return steps, run


def as_table(steps: Sequence[Step]) -> Table:
    """Return the steps for people."""
    table = Table(box=None, padding=(0, 2), show_edge=False)
    table.add_column("from", no_wrap=True)
    table.add_column("step", overflow="fold")
    table.add_column("", no_wrap=True)
    table.add_column("seen", overflow="fold")
    for step in steps:
        mark = Text("ok", style="green") if step.ok else Text("FAILED", style="bold red")
        if step.skipped:
            mark = Text("left out", style="yellow")
        table.add_row(step.host, step.what or step.name, mark, step.detail)
    return table
