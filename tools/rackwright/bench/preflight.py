"""`rackwright bench preflight`: fifty hosts looked at in one pass, against fifty plain log-ins."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from itertools import cycle, islice
from pathlib import Path

import yaml

from rackwright.bench.measure import Comparison, Series
from rackwright.bench.remote import Remote
from rackwright.errors import RackwrightError
from rackwright.lab.inventory import read_lab
from rackwright.lab.model import OUTSIDE, Lab, LabHost
from rackwright.lab.progress import Board, in_parallel
from rackwright.lab.status import lab_status
from rackwright.preflight.run import look_at_hosts
from rackwright.site.inventory import load_inventory

HOSTS = 50
AIM = 6.0
ROUNDS = 3
# What a host is asked by the script beside it: a log-in, sudo, and a Python that starts.
SCRIPT = "/usr/bin/python3 -c pass"
# Above the addresses of a lab's own hosts, below its gateway's.
_FIRST_OCTET = 100


def bench_preflight(inventories: Sequence[Path], rounds: int, board: Board) -> Comparison:
    """Time both sides in turn on a lab that is up; nothing is changed on it.

    Args:
        inventories: The lab's inventory sources.
        rounds: How often each side is timed.
        board: Where progress is shown.

    Raises:
        RackwrightError: The lab is not up, or a host does not answer.
    """
    lab = read_lab(inventories)
    machines = reachable(lab)
    remotes = [Remote(lab, machine) for machine in islice(cycle(machines), HOSTS)]
    ours, floor = [], []
    with tempfile.TemporaryDirectory(prefix="rackwright-") as directory:
        sources = [*inventories, fifty_hosts(Path(directory), inventories)]
        for number in range(rounds + 1):
            with board.step(f"preflight: round {number}" if number else "preflight: warm up") as step:
                seconds = _look(sources)
                script = _log_in(remotes)
                step.say(f"rackwright {seconds:.1f} s, log-ins {script:.1f} s")
            # The first one lays the modules down.
            if number:
                ours.append(seconds)
                floor.append(script)
    title = f"{HOSTS} hosts looked at in one pass / as many log-ins that start a Python"
    per_host = Series(tuple(1000 * seconds / HOSTS for seconds in ours)).median
    notes = (f"preflight: {per_host:.0f} ms per host; {HOSTS} names stand for {len(machines)} machines here",)
    return Comparison("preflight", title, AIM, Series(tuple(ours)), Series(tuple(floor)), notes)


def reachable(lab: Lab) -> list[LabHost]:
    """Return the lab's machines of the platform.

    Raises:
        RackwrightError: One of them is not running.
    """
    down = [entry.host for entry in lab_status(lab) if entry.state != "running"]
    if down:
        raise RackwrightError(f"lab {lab.name}: not running: {', '.join(down)}", hint="rackwright lab up")
    return [host for host in lab.hosts if host.network.zone != OUTSIDE]


def fifty_hosts(directory: Path, inventories: Sequence[Path], hosts: int = HOSTS) -> Path:
    """Write an inventory that gives the lab's machines further names, `hosts` in all, and return its path.

    Each name has an address of its own in its zone, as the input's checks want it; SSH goes to the machine.
    """
    inventory = load_inventory(inventories)
    platform = inventory.members("platform")
    children: dict[str, dict[str, dict[str, dict[str, str]]]] = {}
    for number, name in zip(range(hosts - len(platform)), cycle(platform), strict=False):
        host = inventory.hosts[name]
        zone = next(group for group in host.groups if group.startswith("zone_"))
        address = str(host.variables["ansible_host"])
        invented = f"{address.rpartition('.')[0]}.{_FIRST_OCTET + number}"
        names = children.setdefault(zone, {"hosts": {}})["hosts"]
        names[f"{name}-{number}"] = {
            "ansible_host": invented,
            "ansible_ssh_host": address,
            # A connection of its own, as another machine would have.
            "ansible_control_path": f"%(directory)s/preflight-{name}-{number}",
        }
    variables = inventory.hosts[platform[0]].variables
    for part, content in (
        ("hosts.yml", {"all": {"children": children}}),
        ("group_vars/all/lab.yml", {"lab_directory": str(Path(variables["lab_directory"]).resolve())}),
    ):
        path = directory / part
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return directory


def _look(sources: Sequence[Path]) -> float:
    report = look_at_hosts(sources)
    mute = sorted({finding.host for finding in report.findings if finding.check in {"reachable", "sudo"}
                   and finding.severity == "error"})  # fmt: skip
    if mute or report.hosts != HOSTS:
        raise RackwrightError(
            f"{report.hosts} hosts were asked; without an answer: {', '.join(mute) or 'none'}"
        )
    return report.seconds


def _log_in(remotes: Sequence[Remote]) -> float:
    started = time.monotonic()
    in_parallel(list(remotes), lambda remote: remote.run(SCRIPT), workers=len(remotes))
    return time.monotonic() - started
