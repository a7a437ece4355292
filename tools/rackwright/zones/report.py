"""The matrix for a terminal, for machines, and for a browser."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from rich.table import Table
from rich.text import Text

from rackwright.zones.observe import Probe
from rackwright.zones.run import Matrix

WORDS = {
    "open": "open, must be closed",
    "closed": "closed, must be open",
    "silent": "open as it must be, but nothing listens",
}
_STYLES = {"open": "bold red", "closed": "bold yellow", "silent": "yellow"}


def sentence(probe: Probe) -> str:
    """Return one connection as a sentence."""
    return (
        f"{probe.source} -> {probe.dest} ({probe.address}) port {probe.port}: "
        f"{WORDS.get(probe.verdict, 'as it must be')}"
    )


def summary(matrix: Matrix) -> str:
    """Return the result in one line."""
    tried = len(matrix.probes)
    text = f"{tried - len(matrix.wrong)} of {tried} connections are as the catalogue says"
    allowed = sum(probe.allowed for probe in matrix.probes)
    text += f" ({allowed} open, {tried - allowed} closed)"
    if matrix.missing:
        text += f"; {len(matrix.missing)} hosts could not try: {', '.join(matrix.missing)}"
    return text


def as_table(matrix: Matrix) -> Table:
    """Return the matrix: a row for each caller; open ports green, what is wrong red."""
    table = Table(title=f"Who reaches what in {matrix.site}", title_justify="left")
    table.add_column("from \\ to", no_wrap=True)
    for dest in matrix.dests:
        table.add_column(f"{dest} ({matrix.zones[dest]})", overflow="fold")
    for source in matrix.sources:
        cells = [
            Text("·", style="dim") if source == dest else _cell(matrix, source, dest) for dest in matrix.dests
        ]
        table.add_row(f"{source} ({matrix.zones[source] or 'outside'})", *cells)
    return table


def _cell(matrix: Matrix, source: str, dest: str) -> Text:
    between = matrix.between(source, dest)
    cell = Text()
    for probe in between:
        if probe.verdict != "ok" or probe.allowed:
            mark = {"open": "!", "closed": "✗", "silent": "?"}.get(probe.verdict, "")
            cell.append(f"{mark}{probe.port} ", style=_STYLES.get(probe.verdict, "green"))
    closed = sum(not probe.allowed and probe.verdict == "ok" for probe in between)
    cell.append(f"{closed} closed", style="dim")
    return cell


def as_dict(matrix: Matrix) -> dict[str, Any]:
    """Return everything for JSON."""
    return {
        "site": matrix.site,
        "passed": matrix.passed,
        "tried": len(matrix.probes),
        "wrong": [asdict(probe) | {"verdict": probe.verdict} for probe in matrix.wrong],
        "silent": [asdict(probe) for probe in matrix.silent],
        "missing": matrix.missing,
    }


def as_html(matrix: Matrix, now: datetime | None = None) -> str:
    """Return one page that needs nothing from anywhere."""
    from jinja2 import Environment, PackageLoader, StrictUndefined  # noqa: PLC0415 - a third of the start

    environment = Environment(
        loader=PackageLoader("rackwright.zones", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html.j2").render(
        matrix=matrix,
        summary=summary(matrix),
        sentences=[sentence(probe) for probe in (*matrix.wrong, *matrix.silent)],
        time=(now or datetime.now(UTC)).strftime("%Y-%m-%d %H:%M UTC"),
    )
