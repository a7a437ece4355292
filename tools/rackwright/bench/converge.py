"""`rackwright bench converge`: a first converge of one host, against a plain script of the same work."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console

from rackwright.bench.floor import floor_script
from rackwright.bench.learn import TLS, recipe_of, subjects_of
from rackwright.bench.measure import Comparison, Series
from rackwright.bench.observe import Subjects, differences, observe_script
from rackwright.bench.remote import Remote
from rackwright.bench.serving import require_serving
from rackwright.bench.timed import time_playbook
from rackwright.bench.work import work_of
from rackwright.errors import RackwrightError
from rackwright.lab import lifecycle
from rackwright.lab.docker import docker
from rackwright.lab.inventory import read_lab
from rackwright.lab.model import RELEASES, Lab
from rackwright.lab.progress import Board
from rackwright.operations.runner import run_playbook
from rackwright.secrets import store
from rackwright.site.paths import repository_root

# The host that is converged; the other stays bare.
HOST = "bench1"
PLAYBOOK = "bench/converge.yml"
AIM = 1.15
ROUNDS = 3


@dataclass(frozen=True)
class Floor:
    """The plain script, and the state that both sides must leave behind."""

    script: str
    archive: bytes
    observation: str
    expected: str


def inventory_path() -> Path:
    """Return the inventory of the machine that is converged."""
    return repository_root() / "bench" / "inventory"


def bench_converge(rounds: int, board: Board, *, keep: bool = False) -> Comparison:
    """Time both sides in turn, each on a machine that was just made.

    Args:
        rounds: How often each side is timed.
        board: Where progress is shown.
        keep: Whether the lab stays when all is done.

    Raises:
        RackwrightError: A side fails, does not reach the state of the other, or its services do not serve.
    """
    inventories = [inventory_path()]
    store.initialise(inventories)
    lab = read_lab(inventories)
    remote = Remote(lab, next(host for host in lab.hosts if host.name == HOST))
    ours, floor = [], []
    try:
        with board.step("converge: learn") as step:
            _fresh(lab)
            learned = _learn(remote, inventories)
            # Uncounted, like the run before: package cache and script are proved by it.
            _fresh(lab)
            _run_floor(remote, learned)
            step.say("one uncounted round of both")
        for number in range(1, rounds + 1):
            with board.step(f"converge: round {number}") as step:
                _fresh(lab)
                ours.append(time_playbook(PLAYBOOK, inventories, unchanged=False))
                _require_state(remote, learned, "rackwright")
                _fresh(lab)
                floor.append(_run_floor(remote, learned))
                step.say(f"rackwright {ours[-1]:.1f} s, script {floor[-1]:.1f} s")
    finally:
        if not keep:
            lifecycle.down(lab)
    title = "first converge of one host with five services / a script that does the same"
    return Comparison("converge", title, AIM, Series(tuple(ours)), Series(tuple(floor)))


def _fresh(lab: Lab) -> None:
    """Make the machine anew, with the same address."""
    for host in lab.hosts:
        docker("rm", "--force", "--volumes", host.container, check=False)
    with Board(Console(stderr=True, quiet=True)) as quiet:
        lifecycle.up(lab, RELEASES[0], (), quiet)


def _learn(remote: Remote, inventories: list[Path]) -> Floor:
    run = run_playbook(PLAYBOOK, inventories)
    if not run.successful:
        first = run.recap.failed[0] if run.recap.failed else None
        what = f"{first.task}: {first.message}" if first else f"see {run.log}"
        raise RackwrightError(f"{PLAYBOOK} does not pass: {what}", hint=f"the run's output is in {run.log}")
    _settle(remote)
    work = work_of(run.recap.results, remote.host.name, changed_only=True)
    recipe, archive = recipe_of(remote, work)
    observation = observe_script(comparable(subjects_of(remote, work)))
    require_serving(remote)
    return Floor(floor_script(recipe), archive, observation, remote.text(observation))


def comparable(subjects: Subjects) -> Subjects:
    """Return what two hosts have in common: keys, certificates and salts are each host's own."""
    own = tuple(path for path in subjects.hashed if path.startswith(f"{TLS}/"))
    return replace(
        subjects,
        hashed=tuple(path for path in subjects.hashed if path not in own),
        present=(*subjects.present, *own),
        verifiers=False,
    )


def _run_floor(remote: Remote, floor: Floor) -> float:
    seconds = remote.run(floor.script, floor.archive).seconds
    _require_state(remote, floor, "the plain script")
    return seconds


def _settle(remote: Remote) -> None:
    """Have systemd read now what it would read a minute after our run; what generators make counts too."""
    remote.text("systemctl daemon-reload")


def _require_state(remote: Remote, floor: Floor, side: str) -> None:
    _settle(remote)
    differing = differences(floor.expected, remote.text(floor.observation))
    if differing:
        raise RackwrightError(f"void: {side} left another state behind: {'; '.join(differing)}")
    require_serving(remote)
