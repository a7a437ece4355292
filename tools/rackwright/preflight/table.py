"""The findings for people at a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from rackwright.catalogue.findings import Finding
from rackwright.preflight.finding import HostFinding, Severity
from rackwright.preflight.judge import count

_STYLES: dict[Severity, str] = {"error": "bold red", "warning": "yellow", "info": "cyan", "ok": "green"}
_CHECK_WIDTH = 14


def as_table(findings: Sequence[HostFinding], *, everything: bool = False) -> RenderableType:
    """Return the findings host by host, worst first; `ok` ones only with `everything`."""
    shown = [finding for finding in findings if everything or finding.severity != "ok"]
    return Group(*_hosts(shown))


def _hosts(findings: Iterable[HostFinding]) -> Iterator[RenderableType]:
    for host, entries in groupby(findings, key=lambda finding: finding.host):
        group = list(entries)
        told = ", ".join(_counted(group))
        yield Text.assemble((host, "bold"), (f"  {told}", "dim"))
        table = _rows()
        for finding in group:
            mark = Text(f"  {finding.severity}", style=_STYLES[finding.severity])
            if finding.severity == "ok":
                table.add_row(mark, finding.check, Text(finding.found))
            else:
                table.add_row(mark, finding.check, _labelled(finding.found, finding.needed, finding.mend))
        yield table
        yield Text("")


def input_table(findings: Sequence[Finding]) -> RenderableType:
    """Return what is wrong with the site's input, in the form of the hosts' findings."""
    table = _rows()
    for finding in findings:
        mark = Text(f"  {finding.severity}", style=_STYLES[finding.severity])
        where = f" ({finding.where})" if finding.where else ""
        found = f"{finding.variable} = {finding.value}{where}"
        table.add_row(mark, "input", _labelled(found, finding.rule, finding.hint))
    return Group(Text("input", style="bold"), table, Text(""))


def _rows() -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), show_edge=False, show_header=False)
    table.add_column(no_wrap=True, width=9)
    table.add_column(no_wrap=True, width=_CHECK_WIDTH)
    table.add_column(overflow="fold")
    return table


def _labelled(found: str, needed: str, mend: str) -> Table:
    """Return three texts with their labels; a long one continues under its own beginning."""
    grid = Table.grid(padding=(0, 1, 0, 0))
    grid.add_column(no_wrap=True, style="dim")
    grid.add_column(overflow="fold")
    grid.add_row("found", Text(found))
    grid.add_row("needed", Text(needed, style="dim"))
    grid.add_row("mend", Text(mend))
    return grid


def _counted(findings: Iterable[HostFinding]) -> list[str]:
    return [
        f"{number} {word(severity, number)}"
        for severity, number in count(findings).items()
        if number and severity != "ok"
    ] or ["all passed"]


def word(severity: Severity, number: int) -> str:
    """Return a severity in the number that a count asks for."""
    if severity in {"error", "warning"} and number != 1:
        return f"{severity}s"
    return {"info": "to know", "ok": "passed"}.get(severity, severity)


def summary(findings: Sequence[HostFinding], hosts: int) -> str:
    """Return the closing line: how many hosts, errors, warnings and passed checks."""
    numbers = count(findings)
    bad = sorted({finding.host for finding in findings if finding.severity == "error"})
    counted = ", ".join(f"{numbers[severity]} {word(severity, numbers[severity])}" for severity in numbers)
    verdict = f"not ready: {', '.join(bad)}" if bad else "ready"
    return f"{hosts} {'host' if hosts == 1 else 'hosts'}: {counted}. {verdict[0].upper()}{verdict[1:]}."
