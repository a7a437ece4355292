"""Runs a playbook through ansible-runner, keeps its log and reports its events."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import ansible_runner

from rackwright.errors import RackwrightError
from rackwright.operations.events import Recap
from rackwright.site.paths import repository_root

EventHandler = Callable[[Mapping[str, Any], Recap], None]
# Runs are kept for questions asked the next morning, not for ever.
_KEPT_RUNS = 30


@dataclass(frozen=True)
class Run:
    """A playbook run.

    Attributes:
        playbook: path below the repository's root.
        status: ``successful``, ``failed``, ``canceled`` or ``timeout``, as ansible-runner says it.
        exit_code: ansible-playbook's own.
        seconds: wall-clock time.
        recap: what happened.
        log: the run's full output.
    """

    playbook: str
    status: str
    exit_code: int
    seconds: float
    recap: Recap = field(repr=False)
    log: Path = field(repr=False)

    @property
    def successful(self) -> bool:
        """Whether every task on every host ended well."""
        return self.status == "successful"


def run_playbook(
    playbook: str,
    inventories: Sequence[Path],
    *,
    on_event: EventHandler | None = None,
    arguments: Sequence[str] = (),
    cancelled: Callable[[], bool] | None = None,
    label: str | None = None,
) -> Run:
    """Run one playbook of this repository.

    Args:
        playbook: path below the repository's root.
        inventories: inventory sources, in Ansible's order.
        on_event: called with every event and the recap so far.
        arguments: further arguments of ansible-playbook; never a secret, they are in the process list.
        cancelled: asked regularly; true stops the run.
        label: what the run is kept under; the playbook's name without it.

    Raises:
        RackwrightError: the playbook or an inventory does not exist.
    """
    root = repository_root()
    if not (root / playbook).is_file():
        raise RackwrightError(f"there is no playbook {playbook}", hint=f"look into {root / 'playbooks'}")
    for source in inventories:
        if not source.exists():
            raise RackwrightError(
                f"there is no inventory {source}",
                hint="name an existing one with -i, e.g. -i inventories/lab",
            )
    directory = _run_directory(root, label or Path(playbook).stem)
    recap = Recap()

    def handle(event: Mapping[str, Any]) -> bool:
        recap.feed(event)
        if on_event is not None:
            on_event(event, recap)
        return False  # do not keep one file per event: the log and the summary are enough

    started = time.monotonic()
    outcome = ansible_runner.run(
        private_data_dir=str(directory),
        project_dir=str(root),
        playbook=str(root / playbook),
        inventory=[str(source.resolve()) for source in inventories],
        cmdline=shlex.join(arguments) or None,
        envvars={
            "ANSIBLE_CONFIG": str(root / "ansible.cfg"),
            "ANSIBLE_FORCE_COLOR": "0",
            # The runner names its own directory, which would take the place of the one in ansible.cfg.
            "ANSIBLE_CALLBACK_PLUGINS": str(root / "plugins" / "callback"),
            # Works also where the virtual environment is not activated.
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        },
        event_handler=handle,
        cancel_callback=cancelled,
        quiet=True,
        settings={"suppress_env_files": True},
    )
    seconds = time.monotonic() - started
    log = directory / "output.log"
    with outcome.stdout as output, log.open("w", encoding="utf-8") as stream:
        shutil.copyfileobj(output, stream)
    run = Run(playbook, outcome.status, outcome.rc, seconds, recap, log)
    _write_summary(run, directory, inventories)
    shutil.rmtree(directory / "artifacts", ignore_errors=True)
    return run


def expected_tasks(playbook: str) -> int | None:
    """How many tasks the last successful run of this playbook started; None when there was none."""
    for summary in sorted(
        (repository_root() / ".runs").glob(f"*-{Path(playbook).stem}/summary.json"), reverse=True
    ):
        data = json.loads(summary.read_text(encoding="utf-8"))
        if data.get("status") == "successful":
            return int(data["tasks_started"])
    return None


def expected_seconds(playbook: str) -> float | None:
    """How long the last successful run of this playbook took, in seconds; None when there was none."""
    for summary in sorted(
        (repository_root() / ".runs").glob(f"*-{Path(playbook).stem}/summary.json"), reverse=True
    ):
        data = json.loads(summary.read_text(encoding="utf-8"))
        if data.get("status") == "successful":
            return float(data["seconds"])
    return None


def site_key(inventories: Sequence[Path]) -> str:
    """Name the site that a list of inventory sources describes, for comparison with that of earlier runs."""
    return ":".join(str(source.resolve()) for source in inventories)


def _run_directory(root: Path, label: str) -> Path:
    runs = root / ".runs"
    runs.mkdir(mode=0o700, exist_ok=True)
    # Of each kind, so that a plan every hour does not push out what was applied last month.
    for old in sorted(path for path in runs.glob(f"*-{label}") if path.is_dir())[: -_KEPT_RUNS + 1 or None]:
        shutil.rmtree(old, ignore_errors=True)
    stamp = datetime.now(tz=UTC).strftime("%Y%m%dT%H%M%S.%f")
    directory = runs / f"{stamp}-{label}"
    directory.mkdir(mode=0o700)
    return directory


def _write_summary(run: Run, directory: Path, inventories: Sequence[Path]) -> None:
    summary = {
        "site": site_key(inventories),
        "playbook": run.playbook,
        "status": run.status,
        "exit_code": run.exit_code,
        "seconds": round(run.seconds, 2),
        "tasks_started": run.recap.tasks_started,
        "hosts": {host: dict(counts) for host, counts in sorted(run.recap.counts.items())},
        "changed": [
            {"host": result.host, "role": result.role, "task": result.task, "items": result.changed_items}
            for result in run.recap.changed
        ],
        "restarts": [
            {"host": result.host, "name": name, "seconds": seconds}
            for result in run.recap.changed
            for name, seconds in result.timed_restarts
        ],
        "failed": [
            {"host": result.host, "role": result.role, "task": result.task, "message": result.message}
            for result in run.recap.failed
        ],
        "slowest": [{"task": name, "seconds": round(seconds, 2)} for name, seconds in run.recap.slowest(10)],
    }
    path = directory / "summary.json"
    path.write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")
    path.chmod(0o600)
