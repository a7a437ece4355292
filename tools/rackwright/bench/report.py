"""What the benchmark tells people, and the machine that it ran on."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from rackwright.bench.backup import Speedup
from rackwright.bench.measure import Comparison, Series
from rackwright.bench.pgbench import Throughput

# With more than this share of its cores busy a machine's figures are not worth much.
_BUSY_SHARE = 0.25


def machine() -> dict[str, object]:
    """Return what the figures depend on."""
    return {
        "cpus": os.cpu_count(),
        "load": round(os.getloadavg()[0], 2),
        "kernel": platform.release(),
        "python": platform.python_version(),
    }


def is_busy(load: float, cpus: int) -> bool:
    """Tell whether something else keeps the machine from measuring well."""
    return load > _BUSY_SHARE * cpus


def as_table(comparisons: Sequence[Comparison]) -> Table:
    """Return the figures for people."""
    table = Table(box=None, padding=(0, 2), show_edge=False)
    table.add_column("benchmark", no_wrap=True)
    table.add_column("")
    for column in ("min", "median", "max", "aim"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    for comparison in comparisons:
        table.add_row(comparison.name, "rackwright", *_seconds(comparison.ours), "", "")
        table.add_row("", "plain script", *_seconds(comparison.floor), "", "")
        mark = Text("met", style="green") if comparison.met else Text("MISSED", style="bold red")
        figures = [f"{value:.2f}" for value in _figures(comparison.ratios)]
        table.add_row("", Text("ratio", style="bold"), *figures, f"<= {comparison.aim:g}", mark)
    return table


def throughput_table(found: Sequence[Throughput]) -> Table:
    """Return pgbench's figures for people."""
    table = Table(box=None, padding=(0, 2), show_edge=False)
    table.add_column("pgbench", no_wrap=True)
    table.add_column("")
    for column in ("min", "median", "max", "aim"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    for entry in found:
        for name, series in (("tuned", entry.tuned), ("Debian's default", entry.default)):
            shown = entry.load.name if name == "tuned" else entry.load.title
            table.add_row(shown, name, *(f"{value:,.0f}/s" for value in _figures(series)), "", "")
        mark = Text("met", style="green") if entry.met else Text("MISSED", style="bold red")
        figures = [f"{value:.2f}" for value in _figures(entry.ratios)]
        table.add_row("", Text("ratio", style="bold"), *figures, f">= {entry.load.aim:g}", mark)
    return table


def speedup_table(found: Sequence[Speedup]) -> Table:
    """Return the figures of backups for people."""
    table = Table(box=None, padding=(0, 2), show_edge=False)
    table.add_column("", no_wrap=True)
    table.add_column("")
    for column in ("min", "median", "max", "aim"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    for entry in found:
        table.add_row(entry.name, "rackwright", *_seconds(entry.ours), "", "")
        table.add_row("", entry.title, *_seconds(entry.plain), "", "")
        mark = Text("met", style="green") if entry.met else Text("MISSED", style="bold red")
        figures = [f"{value:.2f}" for value in _figures(entry.ratios)]
        table.add_row("", Text("times faster", style="bold"), *figures, f">= {entry.aim:g}", mark)
    return table


def _figures(series: Series) -> tuple[float, float, float]:
    return series.minimum, series.median, series.maximum


def _seconds(series: Series) -> list[str]:
    return [f"{value:.2f} s" for value in _figures(series)]
