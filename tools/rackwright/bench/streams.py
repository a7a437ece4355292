"""`rackwright bench streams`: how many answers one worker of the app holds open, on one core."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from rackwright.bench.remote import Remote
from rackwright.bench.sent import lab_host, run_program, users
from rackwright.errors import RackwrightError
from rackwright.lab.inventory import read_lab
from rackwright.lab.progress import Board
from rackwright.site.load import load_site

if TYPE_CHECKING:
    # The program for the host, which imports the app's own packages.
    from rackwright.bench.streams_load import Seen

STREAMS = 500
IDLE_MB = 150.0
_SECONDS = 20.0
_PROGRAM = Path(__file__).with_name("streams_load.py")
_PYTHON = "/opt/rackwright/app/current/bin/python"


@dataclass(frozen=True)
class Held:
    """What one worker did on a host."""

    host: str
    seen: Seen

    @property
    def met(self) -> bool:
        """Whether all were open at a time, each came whole, and the worker was small before."""
        seen = self.seen
        together = seen["whole"] == seen["most_open"] == seen["asked"]
        return together and not seen["errors"] and seen["idle_mb"] < IDLE_MB

    def as_dict(self) -> dict[str, object]:
        """The figures for JSON."""
        return {"host": self.host, **self.seen, "met": self.met}


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
        seen: Seen = json.loads(run_program(Remote(lab, lab_host(lab, name)), _PROGRAM, _PYTHON, work))
        step.say(f"{seen['most_open']} open at a time, {seen['whole']} whole")
    return Held(name, seen)


def streams_table(found: Held) -> Table:
    """Return the figures for people."""
    seen = found.seen
    table = Table(box=None, padding=(0, 2), show_edge=False)
    table.add_column(f"streams of one worker on one core, {found.host}", no_wrap=True)
    table.add_column("", justify="right", no_wrap=True)
    table.add_column("aim", justify="right", no_wrap=True)
    table.add_row("open at a time", str(seen["most_open"]), str(seen["asked"]))
    table.add_row("came whole", str(seen["whole"]), str(seen["asked"]))
    table.add_row("tokens", f"{seen['events']} in {seen['seconds']:.0f} s", "")
    table.add_row("memory, idle", f"{seen['idle_mb']:.0f} MB", f"< {IDLE_MB:.0f} MB")
    table.add_row("memory, all open", f"{seen['busy_mb']:.0f} MB", "")
    table.add_row("of the core", f"{seen['cpu_percent']:.0f} %", "")
    for error in seen["errors"]:
        table.add_row(Text(error, style="red"), "", "")
    mark = Text("met", style="green") if found.met else Text("MISSED", style="bold red")
    table.add_row(mark, "", "")
    return table
