"""`rackwright bench watching`: what exporters, the shipper and being scraped take of an idle host."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.table import Table
from rich.text import Text

from rackwright.bench.remote import Remote
from rackwright.errors import RackwrightError
from rackwright.lab.inventory import read_lab
from rackwright.lab.progress import Board
from rackwright.site.load import load_site

SECONDS = 60
# Of one core, and of memory: docs/observability.md promises no more.
AIM_PERCENT, AIM_MB = 2.0, 300.0
# Roles whose services are there for nothing but to be looked at.
ROLES = frozenset({"node_exporter", "exporters", "log_shipper"})
_SCRIPT = r"""
import json, os, subprocess, sys, time
units, seconds = json.loads(sys.argv[1]), float(sys.argv[2])
tick = os.sysconf("SC_CLK_TCK")
def processes(unit):
    group = subprocess.run(["systemctl", "show", "-p", "ControlGroup", "--value", unit],
                           capture_output=True, text=True, check=True).stdout.strip()
    for place in ("/sys/fs/cgroup", "/sys/fs/cgroup/systemd", "/sys/fs/cgroup/unified"):
        try:
            with open(f"{place}{group}/cgroup.procs") as file:
                found = file.read().split()
        except OSError:
            continue
        if found:
            return found
    main = subprocess.run(["systemctl", "show", "-p", "MainPID", "--value", unit],
                          capture_output=True, text=True, check=True).stdout.strip()
    return [main] if main != "0" else []
def spent(unit):
    total = 0
    for number in processes(unit):
        try:
            with open(f"/proc/{number}/stat") as file:
                fields = file.read().rpartition(")")[2].split()
        except OSError:
            continue
        # With what its children took that have ended.
        total += sum(map(int, fields[11:15]))
    return total / tick
def memory(unit):
    total = 0
    for number in processes(unit):
        try:
            with open(f"/proc/{number}/smaps_rollup") as file:
                total += next(int(line.split()[1]) for line in file if line.startswith("Pss:"))
        except (OSError, StopIteration):
            continue
    return total / 1024
before = {unit: spent(unit) for unit in units}
time.sleep(seconds)
print(json.dumps({unit: [100 * (spent(unit) - before[unit]) / seconds, memory(unit)] for unit in units}))
"""


@dataclass(frozen=True)
class Watching:
    """What one unit takes: percent of one core, and memory in MB (what is shared counted in parts)."""

    unit: str
    percent: float
    memory_mb: float


@dataclass(frozen=True)
class Overhead:
    """What all of them take on one host."""

    host: str
    units: tuple[Watching, ...]

    @property
    def percent(self) -> float:
        """Percent of one core."""
        return sum(unit.percent for unit in self.units)

    @property
    def memory_mb(self) -> float:
        """Memory in MB."""
        return sum(unit.memory_mb for unit in self.units)

    @property
    def met(self) -> bool:
        """Whether it is within the aim."""
        return self.percent < AIM_PERCENT and self.memory_mb < AIM_MB

    def as_dict(self) -> dict[str, object]:
        """The figures for JSON."""
        return {**asdict(self), "percent": self.percent, "memory_mb": self.memory_mb, "met": self.met}


def bench_watching(inventories: Sequence[Path], board: Board, seconds: int = SECONDS) -> Overhead:
    """Measure a host of the group `app` of a lab that is up and converged, while it is scraped.

    Raises:
        RackwrightError: The site has no such host, or nobody watches it.
    """
    site = load_site(inventories)
    hosts = site.group_hosts("app")
    if not hosts or not site.group_hosts("monitoring"):
        raise RackwrightError(
            "the site has no host of the app that is watched", hint="see docs/observability.md"
        )
    name = hosts[0].name
    services = site.services_of(name).values()
    units = [service.unit for service in services if service.role in ROLES and service.unit]
    lab = read_lab(inventories)
    host = next(machine for machine in lab.hosts if machine.name == name)
    with board.step("watching") as step:
        script = f"exec /usr/bin/python3 - '{json.dumps(units)}' {seconds} <<'END'\n{_SCRIPT}\nEND\n"
        found = json.loads(Remote(lab, host).text(script))
        overhead = Overhead(name, tuple(Watching(unit, *found[unit]) for unit in units))
        step.say(f"{overhead.percent:.2f} % of a core, {overhead.memory_mb:.0f} MB")
    return overhead


def overhead_table(found: Overhead) -> Table:
    """Return the figures for people."""
    table = Table(box=None, padding=(0, 2), show_edge=False)
    table.add_column("watching", no_wrap=True)
    for column in ("of a core", "memory"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    for unit in found.units:
        table.add_row(unit.unit, f"{unit.percent:.2f} %", f"{unit.memory_mb:.0f} MB", "")
    mark = Text("met", style="green") if found.met else Text("MISSED", style="bold red")
    table.add_row(
        Text(f"{found.host}, aim < {AIM_PERCENT:g} %, < {AIM_MB:g} MB", style="bold"),
        f"{found.percent:.2f} %",
        f"{found.memory_mb:.0f} MB",
        mark,
    )
    return table
