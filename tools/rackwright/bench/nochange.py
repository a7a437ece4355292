"""`rackwright bench nochange`: a run that changes nothing, against a script that checks the same state."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rackwright.bench.learn import subjects_of
from rackwright.bench.measure import Comparison, Series
from rackwright.bench.observe import differences, observe_script
from rackwright.bench.remote import Remote
from rackwright.bench.timed import time_playbook
from rackwright.bench.work import work_of
from rackwright.errors import RackwrightError
from rackwright.lab.inventory import read_lab
from rackwright.lab.model import Lab
from rackwright.lab.progress import Board, in_parallel
from rackwright.lab.status import lab_status
from rackwright.operations.runner import run_playbook

PLAYBOOK = "site.yml"
AIM = 8.0
ROUNDS = 5
# Runs after which a host has verified all that is looked after, and what had nothing to do is remembered.
SETTLING = 2
CONVERGE_HINT = "bring it up and converge it: make demo"


@dataclass(frozen=True)
class Check:
    """The script for one host and what it must print."""

    remote: Remote
    script: str
    expected: str


def bench_nochange(inventories: Sequence[Path], rounds: int, board: Board) -> Comparison:
    """Time both sides in turn on a lab that is up and converged.

    Args:
        inventories: The lab's inventory sources.
        rounds: How often each side is timed.
        board: Where progress is shown.

    Raises:
        RackwrightError: The lab is not up, a run fails or changes something, or the state changes meanwhile.
    """
    lab = read_lab(inventories)
    _require_running(lab)
    with board.step("no change: learn") as step:
        checks, notes = _learn(lab, inventories)
        step.say(f"{len(checks)} hosts")
    with board.step("no change: settle"):
        for _ in range(SETTLING):
            time_playbook(PLAYBOOK, inventories, unchanged=True)
    ours, floor = [], []
    for number in range(1, rounds + 1):
        with board.step(f"no change: round {number}") as step:
            ours.append(time_playbook(PLAYBOOK, inventories, unchanged=True))
            floor.append(time_checks(checks))
            step.say(f"rackwright {ours[-1]:.1f} s, script {floor[-1]:.2f} s")
    title = f"site.yml again on {len(checks)} hosts / a script that checks the same state"
    return Comparison("nochange", title, AIM, Series(tuple(ours)), Series(tuple(floor)), tuple(notes))


def time_checks(checks: Sequence[Check]) -> float:
    """Run the script on all hosts at once and return the seconds until the last one is done.

    Raises:
        RackwrightError: A host is not as it was.
    """
    started = time.monotonic()
    found = in_parallel(list(checks), lambda check: check.remote.text(check.script), workers=len(checks))
    seconds = time.monotonic() - started
    for check, output in zip(checks, found, strict=True):
        differing = differences(check.expected, output)
        if differing:
            raise RackwrightError(
                f"{check.remote.host.name} is not as the run left it: {'; '.join(differing)}",
                hint="leave the lab alone while it is measured",
            )
    return seconds


def _require_running(lab: Lab) -> None:
    down = [machine.host for machine in lab_status(lab) if machine.state != "running"]
    if down:
        raise RackwrightError(f"lab {lab.name}: not running: {', '.join(down)}", hint=CONVERGE_HINT)


def _learn(lab: Lab, inventories: Sequence[Path]) -> tuple[list[Check], list[str]]:
    """Run the site once, uncounted, and make each host's script from what the run looked after."""
    # Every host is asked in full: what a task looked after stands in the module's own answer.
    run = run_playbook(PLAYBOOK, inventories, arguments=("-e", "rackwright_trust_state=false"))
    if not run.successful:
        first = run.recap.failed[0] if run.recap.failed else None
        what = f"{first.host}, {first.task}: {first.message}" if first else f"see {run.log}"
        raise RackwrightError(f"{PLAYBOOK} does not pass on this lab: {what}", hint=CONVERGE_HINT)
    if run.recap.changed:
        changed = sorted({f"{result.host}: {result.task}" for result in run.recap.changed})
        raise RackwrightError(
            f"{PLAYBOOK} still changed something, so this was no run without changes: {'; '.join(changed)}",
            hint="run it until nothing changes (`rackwright apply`), then measure",
        )
    checks, notes = [], []
    for host in lab.hosts:
        work = work_of(run.recap.results, host.name, changed_only=False)
        notes += [f"{host.name}: the script does not check: {task}" for task in work.not_understood]
        remote = Remote(lab, host)
        subjects = subjects_of(remote, work)
        if not (subjects.packages or subjects.units):
            continue
        script = observe_script(subjects)
        checks.append(Check(remote, script, remote.text(script)))
    return checks, notes
