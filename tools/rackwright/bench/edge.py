"""`rackwright bench edge`: what the edge costs, against the app that is asked directly."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.table import Table
from rich.text import Text

from rackwright.bench import edge_load
from rackwright.bench.measure import Series
from rackwright.bench.remote import Remote
from rackwright.bench.sent import lab_host, run_program, users
from rackwright.errors import RackwrightError
from rackwright.lab.inventory import read_lab
from rackwright.lab.progress import Board
from rackwright.site.load import load_site

ROUNDS = 5
# Of a stream's first byte; the whole way through the edge beside the way without it.
AIM = 1.15
_SECONDS, _CALLERS, _STREAMS = 3.0, 4, 10
_PROGRAM = Path(edge_load.__file__)
_CA = "/etc/rackwright/tls/ca.pem"
# What is told of it, and how: figure, unit, decimals.
_ROWS = (
    ("rate", "health, requests/s", 0),
    ("p95", "health, P95 ms", 1),
    ("first_byte", "stream, first byte ms", 1),
    ("first_token", "stream, first token ms", 1),
    ("whole", "stream, whole ms", 0),
)


@dataclass(frozen=True)
class EdgeCost:
    """Figures of all rounds by side (`app`, `edge`), as `edge_load.Round` names them."""

    rounds: Mapping[str, Sequence[Mapping[str, float]]]

    def series(self, side: str, figure: str) -> Series:
        """One side's figure, round by round."""
        return Series(tuple(each[figure] for each in self.rounds[side]))

    def ratios(self, figure: str) -> Series:
        """The edge's figure by the app's, taken within each round."""
        pairs = zip(self.rounds["edge"], self.rounds["app"], strict=True)
        return Series(tuple(edge[figure] / app[figure] for edge, app in pairs))

    @property
    def met(self) -> bool:
        """Whether the edge costs a stream's first byte no more than the aim."""
        return self.ratios("first_byte").median <= AIM

    def as_dict(self) -> dict[str, Any]:
        """The figures for JSON."""
        figures = {
            figure: {
                **{side: self.series(side, figure).as_dict(3) for side in ("app", "edge")},
                "ratio": self.ratios(figure).as_dict(3),
            }
            for figure, _, _ in _ROWS
        }
        return {"figures": figures, "aim": AIM, "met": self.met}


def bench_edge(inventories: Sequence[Path], rounds: int, board: Board) -> EdgeCost:
    """Measure a lab that is up and converged, from its edge, which alone may call the app.

    Raises:
        RackwrightError: The site has no edge or no app, or one of them did not answer.
    """
    site, lab = load_site(inventories), read_lab(inventories)
    apps, edges = site.group_hosts("app"), site.group_hosts("edge")
    if not apps or not edges:
        raise RackwrightError("the site has no host of the app, or none of the edge")
    services, domain = site.catalogue.services, site.domain
    work = edge_load.Work(
        sides={
            "app": {
                "address": str(apps[0].address),
                "port": services["app"].ports["api"].port,
                "name": f"app.{domain}",
            },
            "edge": {
                "address": str(edges[0].address),
                "port": services[site.values_of(edges[0].name)["edge_engine"]].ports["https"].port,
                "name": f"api.{domain}",
            },
        },
        ca=_CA,
        # Each may ask a hundred times an hour, and more than one benchmark fits into an hour.
        tokens=users(inventories, edges[0].name, max(20, rounds)),
        rounds=rounds,
        seconds=_SECONDS,
        callers=_CALLERS,
        streams=_STREAMS,
    )
    with board.step("edge") as step:
        remote = Remote(lab, lab_host(lab, edges[0].name))
        found = EdgeCost(json.loads(run_program(remote, _PROGRAM, "/usr/bin/python3", work)))
        step.say(f"first byte of a stream {found.ratios('first_byte').median:.2f} of the app's own")
    return found


def edge_table(found: EdgeCost) -> Table:
    """Return the figures for people."""
    table = Table(box=None, padding=(0, 2), show_edge=False)
    table.add_column("edge", no_wrap=True)
    for column in ("app", "through the edge", "ratio", "aim"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    for figure, title, digits in _ROWS:
        cells = [f"{found.series(side, figure).median:.{digits}f}" for side in ("app", "edge")]
        aim, mark = "", Text("")
        if figure == "first_byte":
            aim = f"<= {AIM:g}"
            mark = Text("met", style="green") if found.met else Text("MISSED", style="bold red")
        table.add_row(title, *cells, f"{found.ratios(figure).median:.2f}", aim, mark)
    return table
