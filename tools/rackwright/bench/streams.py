"""`rackwright bench streams`: how many answers one worker of the app holds open, on one core."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.table import Table
from rich.text import Text

from rackwright.bench.remote import Remote
from rackwright.bench.sent import lab_host, run_program, users
from rackwright.errors import RackwrightError
from rackwright.lab.inventory import read_lab
from rackwright.lab.progress import Board
from rackwright.site.load import load_site

STREAMS = 500
IDLE_MB = 150.0
_SECONDS = 20.0
_PROGRAM = Path(__file__).with_name("streams_load.py")
_PYTHON = "/opt/rackwright/app/current/bin/python"


@dataclass(frozen=True)
class Held:
    """What one worker did; `streams_load.Seen` has the meaning of each figure."""

    host: str
    asked: int
    whole: int
    errors: tuple[str, ...]
    most_open: int
    seconds: float
    events: int
    idle_mb: float
    busy_mb: float
    cpu_percent: float

    @property
    def met(self) -> bool:
        """Whether all were open at a time, each came whole, and the worker was small before."""
        return self.whole == self.most_open == self.asked and not self.errors and self.idle_mb < IDLE_MB

    def as_dict(self) -> dict[str, object]:
        """The figures for JSON."""
        return {**asdict(self), "met": self.met}


def bench_streams(inventories: Sequence[Path], board: Board, number: int = STREAMS) -> Held:
    """Measure on a host of the app of a lab that is up and converged.

    Raises:
        RackwrightError: The site has no such host, or the app did not start on it.
    """
    hosts = load_site(inventories).group_hosts("app")
    if not hosts:
        raise RackwrightError("the site has no host of the app")
    lab, name = read_lab(inventories), hosts[0].name
    with board.step("streams") as step:
        work = {"tokens": users(inventories, name, number), "seconds": _SECONDS}
        seen = json.loads(run_program(Remote(lab, lab_host(lab, name)), _PROGRAM, _PYTHON, work))
        held = Held(name, **{**seen, "errors": tuple(seen["errors"])})
        step.say(f"{held.most_open} open at a time, {held.whole} whole")
    return held


def streams_table(found: Held) -> Table:
    """Return the figures for people."""
    table = Table(box=None, padding=(0, 2), show_edge=False)
    table.add_column(f"streams of one worker on one core, {found.host}", no_wrap=True)
    table.add_column("", justify="right", no_wrap=True)
    table.add_column("aim", justify="right", no_wrap=True)
    table.add_row("open at a time", str(found.most_open), str(found.asked))
    table.add_row("came whole", str(found.whole), str(found.asked))
    table.add_row("tokens", f"{found.events} in {found.seconds:.0f} s", "")
    table.add_row("memory, idle", f"{found.idle_mb:.0f} MB", f"< {IDLE_MB:.0f} MB")
    table.add_row("memory, all open", f"{found.busy_mb:.0f} MB", "")
    table.add_row("of the core", f"{found.cpu_percent:.0f} %", "")
    for error in found.errors:
        table.add_row(Text(error, style="red"), "", "")
    mark = Text("met", style="green") if found.met else Text("MISSED", style="bold red")
    table.add_row(mark, "", "")
    return table
