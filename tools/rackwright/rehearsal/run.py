"""Runs a rehearsal: refuses everything but a machine of the rehearsal's own, rebuilds, restores, measures."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rackwright.backup.agent.lineage import number
from rackwright.errors import RackwrightError
from rackwright.operations.backup import failure
from rackwright.operations.runner import Run, run_playbook
from rackwright.rehearsal.model import Phase, Report
from rackwright.site.inventory import Inventory, load_inventory

GROUP = "rehearsal"
BASE, DATA, WATCH = "playbooks/base.yml", "playbooks/data.yml", "playbooks/observability.yml"
FAIL, RESTORE, KILL = (f"playbooks/rehearse{part}.yml" for part in ("_failure", "", "_kill"))
# What is there already when the failure happens, and what is then done, in order.
BEFORE: Mapping[str, tuple[str, ...]] = {
    "container": (BASE, DATA, WATCH),
    "database": (BASE, DATA, WATCH),
    "service": (BASE,),
    "server": (),
}
AFTER: Mapping[str, tuple[str, ...]] = {
    "container": (KILL,),
    "database": (RESTORE,),
    "service": (DATA, WATCH, RESTORE),
    "server": (BASE, DATA, WATCH, RESTORE),
}
NAMES = {
    FAIL: "the backups, at the failure",
    BASE: "base of the machine",
    DATA: "services",
    WATCH: "what watches it",
    RESTORE: "restore and check",
    KILL: "automatic restart",
}


@dataclass(frozen=True)
class Place:
    """Whose place is taken, and by what."""

    host: str
    machine: str
    address: str


def place_of(inventory: Inventory, host: str | None, machine: str | None) -> Place:
    """Return the place, when the machine is one of the rehearsal's.

    Raises:
        RackwrightError: It is not, or has something else to do as well.
    """
    machines = inventory.members(GROUP)
    if not machines:
        raise RackwrightError(
            f"the group `{GROUP}` has no machine",
            hint="a rehearsal needs a machine that does nothing else (docs/rehearsal.md)",
        )
    machine = machine or machines[0]
    if machine not in machines:
        raise RackwrightError(
            f"{machine} is not in the group `{GROUP}`: a rehearsal touches no other machine",
            hint=f"its machines are {', '.join(machines)}",
        )
    works = [
        group
        for group in inventory.groups
        if group not in {"all", "ungrouped", "platform", GROUP}
        and not group.startswith("zone_")
        and machine in inventory.members(group)
    ]
    if works:
        raise RackwrightError(
            f"{machine} is also in {', '.join(works)}: a machine of a rehearsal does nothing else",
            hint="take it out of these groups, or rehearse on another",
        )
    databases = inventory.members("postgresql")
    host = host or (databases[0] if databases else "")
    if host not in inventory.members("platform") or host == machine:
        raise RackwrightError(
            f"{host or 'no host'} is no host whose place could be taken", hint="--host <name>"
        )
    return Place(str(host), str(machine), str(inventory.hosts[machine].variables["ansible_host"]))


def rehearse(sources: Sequence[Path], scenario: str, host: str | None, machine: str | None) -> Report:
    """Rehearse; what goes wrong on the machines is in the report.

    Raises:
        RackwrightError: Refused before anything was touched.
    """
    inventory = load_inventory(sources)
    place = place_of(inventory, host, machine)
    if not inventory.members("backup"):
        raise RackwrightError("this site has no backup host", hint="docs/backup.md")
    old = str(inventory.hosts[place.host].variables["ansible_host"])
    with tempfile.TemporaryDirectory(prefix="rackwright-rehearsal-") as held:
        overlay = Path(held) / "hosts.yml"
        # They change places, so that no address is there twice; only the host's name is ever run.
        swapped = {place.host: {"ansible_host": place.address}, place.machine: {"ansible_host": old}}
        overlay.write_text(json.dumps({"all": {"hosts": swapped}}), encoding="utf-8")
        return _measured([*sources, overlay], inventory, scenario, place)


def _measured(sources: Sequence[Path], inventory: Inventory, scenario: str, place: Place) -> Report:
    phases: list[Phase] = []
    problem = ""
    before = time.monotonic()
    run: Run | None = None
    for playbook in BEFORE[scenario]:
        run = _run(playbook, sources, scenario, place)
        if not run.successful:
            problem = f"{NAMES[playbook]}, before the failure: {failure(run).message}"
            break
    if BEFORE[scenario]:
        took = time.monotonic() - before
        phases.append(Phase("what is there already", -took, took, counts=False))
    held: list[dict[str, Any]] = []
    if not problem and RESTORE in AFTER[scenario]:
        run = _run(FAIL, sources, scenario, place)
        if run.successful:
            held = json.loads(_told(run, "See what there is to restore from"))
        else:
            problem = f"{NAMES[FAIL]}: {failure(run).message}"
    failed, failed_at = time.monotonic(), datetime.now(UTC)
    for playbook in AFTER[scenario] if not problem else ():
        started = time.monotonic()
        run = _run(playbook, sources, scenario, place, held)
        phases.append(Phase(NAMES[playbook], started - failed, time.monotonic() - started))
        if not run.successful:
            problem = f"{NAMES[playbook]}: {failure(run).message}"
            break
    found = _found(run, scenario, failed_at, held) if run is not None and not problem else {}
    if scenario == "container" and found:
        phases = [*phases[:-1], Phase(NAMES[KILL], 0, float(found["away"]))]
    return Report(
        site=str(inventory.site_variables()["site_name"]),
        scenario=scenario,
        host=place.host,
        machine=place.machine,
        failed_at=failed_at.isoformat(timespec="seconds"),
        phases=tuple(phases),
        rpo_seconds=found.get("rpo"),
        last_write=str(found.get("last", "")),
        facts=found.get("facts", {}),
        problem=problem or str(found.get("problem", "")),
    )


def _run(
    playbook: str,
    sources: Sequence[Path],
    scenario: str,
    place: Place,
    held: Sequence[Mapping[str, Any]] = (),
) -> Run:
    values = {
        "rehearse_host": place.host,
        "rehearse_address": place.address,
        "rehearse_stores": [f"{place.host}/postgresql"] if scenario == "database" else [],
        "rehearse_plan": held,
        # Nothing of a rehearsal may reach the real log.
        "backup_archiving": False,
    }
    arguments = ["-e", json.dumps(values)]
    if playbook in {BASE, DATA, WATCH}:
        arguments += ["--limit", place.host]
    return run_playbook(playbook, sources, arguments=arguments)


def _told(run: Run, task: str) -> str:
    """Return what the command of a task said."""
    return next(str(result.result["stdout"]) for result in run.recap.results if result.task == task)


def _found(run: Run, scenario: str, failed_at: datetime, held: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return what the last run saw."""
    if scenario == "container":
        told = json.loads(_told(run, "Kill it under writes"))
        lost = told["acknowledged"] - told["found"]
        return {
            "away": told["away_seconds"],
            "rpo": 0.0 if not lost else float("inf"),
            "last": failed_at.isoformat(timespec="seconds"),
            "facts": {
                "rows acknowledged before the kill": str(told["acknowledged"]),
                "found": str(told["found"]),
            },
            "problem": f"{lost} acknowledged rows are lost" if lost else "",
        }
    items = [
        item
        for result in run.recap.results
        if result.task in {"Restore the cluster", "Restore the store"}
        for item in result.result.get("results") or ()
        if item.get("stdout")
    ]
    facts: dict[str, str] = {}
    found: dict[str, Any] = {"facts": facts}
    noted = {str(entry["store"]): entry for entry in held}
    for item in items:
        told, name = json.loads(str(item["stdout"])), str(item["item"]["store"])
        if "last_transaction" in told:
            last, archived = _last_write(told, noted[name]), str(noted[name]["log_end"])
            found |= {"last": last.isoformat(timespec="seconds"), "rpo": (failed_at - last).total_seconds()}
            facts[name] = f"{told['rows']} rows; the log to {archived}; " + ", ".join(
                f"{phase} {seconds:.0f} s" for phase, seconds in told["seconds"].items()
            )
            if number(told["replayed"]) < number(archived):
                found["problem"] = (
                    f"{name}: the log came to {told['replayed'][8:]}, archived was {archived[8:]}"
                )
        else:
            facts[name] = ", ".join(
                f"{key} {value}" for key, value in told.items() if key not in {"kind", "aside"}
            )
    return found


def _last_write(told: Mapping[str, Any], noted: Mapping[str, Any]) -> datetime:
    """Return up to when all that was written is there.

    That is the last transaction of the log, or the end of the backup, which holds everything before it: a
    failure right after a backup leaves a log in which no transaction follows.
    """
    ended = datetime.fromtimestamp(noted["stopped"], UTC)
    stamp = str(told["last_transaction"])
    return max(ended, datetime.fromisoformat(_whole_zone(stamp))) if stamp else ended


def _whole_zone(stamp: str) -> str:
    """Return PostgreSQL's `+00` as `+00:00`, which every Python reads."""
    return f"{stamp}:00" if stamp[-3:-2] in {"+", "-"} else stamp
