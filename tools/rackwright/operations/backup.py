"""Backups and restores of a site, asked of its backup host through playbooks."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rackwright.errors import RackwrightError
from rackwright.operations.events import TaskResult
from rackwright.operations.runner import Run, run_playbook

BACKUP, RESTORE = "playbooks/backup.yml", "playbooks/restore.yml"
NO_HOST = (
    "this site has no backup host",
    "put a host of the zone ops into the group `backup`, then: rackwright apply (docs/backup.md)",
)


def ask(inventories: Sequence[Path], words: Sequence[str]) -> Any:  # noqa: ANN401 - the program's JSON
    """Ask the backup host's program; return its answer.

    Raises:
        RackwrightError: There is no backup host, or it cannot do it.
    """
    run = run_playbook(BACKUP, inventories, arguments=_extra({"backup_words": list(words)}))
    found = _of_task(run, "Ask it")
    if found is None:
        raise failure(run)
    return _answer(found, run)


@dataclass(frozen=True)
class Restored:
    """What a restore did, or would do.

    Attributes:
        plan: For each store what it is restored from.
        clusters: What came back of each cluster, by host.
        streams: What came back of each other store.
        onto: The host that they came back on, where it is another.
    """

    plan: list[dict[str, Any]]
    clusters: dict[str, dict[str, Any]]
    streams: dict[str, dict[str, Any]]
    onto: str = ""

    @property
    def differences(self) -> list[str]:
        """What is not as the backup's own manifest says."""
        return [
            f"{host}: {text}" for host, told in self.clusters.items() for text in told.get("differences", ())
        ]


def restore(
    inventories: Sequence[Path],
    stores: Sequence[str],
    to: str,
    confirm: str | None,
    *,
    only_plan: bool,
    onto: str = "",
) -> Restored:
    """Bring stores back.

    Args:
        inventories: Inventory sources.
        stores: Names, `<host>/<service>`; none stands for all.
        to: latest, time:<when>, point:<name> or backup:<label>.
        confirm: The name typed back.
        onto: Another host, onto which one store is restored.
        only_plan: Only say what would be restored, and what stands in its way.

    Raises:
        RackwrightError: It was refused, or did not succeed.
    """
    values = {
        "restore_stores": list(stores),
        "restore_to": to,
        "restore_confirm": confirm or "",
        "restore_only_plan": only_plan,
        "restore_onto": onto,
    }
    run = run_playbook(RESTORE, inventories, arguments=_extra(values))
    planned = _of_task(run, "Look at the backups, and refuse what cannot be restored")
    if planned is None or not run.successful:
        raise failure(run)
    clusters = {
        result.host: json.loads(str(result.result["stdout"]))
        for result in run.recap.results
        if result.task == "Restore the cluster" and result.result.get("stdout")
    }
    streams = {
        str(item["item"]["store"]): json.loads(str(item["stdout"]))
        for result in run.recap.results
        if result.task == "Restore the store"
        for item in result.result.get("results") or ()
        if item.get("stdout")
    }
    return Restored(list(_answer(planned, run)), clusters, streams, onto)


def _extra(values: Mapping[str, Any]) -> list[str]:
    return ["-e", json.dumps(values)]


def _of_task(run: Run, task: str) -> TaskResult | None:
    found = [result for result in run.recap.results if result.task == task and result.result.get("stdout")]
    return found[-1] if found else None


def _answer(result: TaskResult, run: Run) -> Any:  # noqa: ANN401
    answer = json.loads(str(result.result["stdout"]))
    if isinstance(answer, dict) and "failed" in answer:
        raise RackwrightError(str(answer["failed"]), hint=str(answer.get("hint") or f"the log is {run.log}"))
    return answer


def failure(run: Run) -> RackwrightError:
    """Return in words why a run did not succeed: what our own programs said, else Ansible."""
    if not run.recap.results and run.successful:
        return RackwrightError(*NO_HOST)
    if not run.recap.results:
        # A vault that does not open, an inventory that cannot be read: Ansible says what.
        return RackwrightError("the run ended before any host was asked", hint=f"its output is in {run.log}")
    for result in run.recap.failed:
        items = [result.result, *(item for item in result.result.get("results") or () if item.get("failed"))]
        for text in (item.get(key) for item in items for key in ("stdout", "stderr")):
            line = str(text or "").strip().splitlines()[-1:]
            if line and line[0].startswith("{"):
                told = json.loads(line[0])
                return RackwrightError(f"{result.host}: {told['failed']}", hint=told.get("hint") or None)
    text = "; ".join(f"{result.host}: {result.message}" for result in run.recap.failed)
    return RackwrightError(text or run.status, hint=f"the run's output is in {run.log}")
