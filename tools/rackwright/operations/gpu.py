"""Examines the GPUs of a site's hosts: runs playbooks/gpu_check.yml and gathers the verdicts."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.table import Table
from rich.text import Text

from rackwright.errors import RackwrightError
from rackwright.operations.runner import Run, run_playbook
from rackwright.preflight.finding import HostFinding

PLAYBOOK = "playbooks/gpu_check.yml"
_STYLES = {
    "pass": "green",
    "no_gpu": "green",
    "warn": "yellow",
    "fail": "bold red",
    "unreachable": "bold red",
}
_WORDS = {
    "pass": "ok",
    "no_gpu": "no GPU",
    "warn": "look at it",
    "fail": "FAILED",
    "unreachable": "UNREACHABLE",
}


@dataclass(frozen=True)
class GpuVerdict:
    """What the examination of one host came to.

    Attributes:
        host: Inventory name.
        verdict: pass, warn, fail, no_gpu or unreachable.
        ok: Whether the host may serve.
        driver: Version of its driver; empty where none answers.
        gpus: What was read of each GPU.
        findings: What is wrong, or worth knowing.
        burn_in: What the load came to; `ran` is false without one.
        nccl: What the measurement between GPUs came to.
    """

    host: str
    verdict: str
    ok: bool
    driver: str
    gpus: list[Mapping[str, Any]]
    findings: list[HostFinding]
    burn_in: Mapping[str, Any]
    nccl: Mapping[str, Any]

    def as_dict(self) -> dict[str, Any]:
        """Return the verdict for JSON."""
        return asdict(self)


def gpu_check(
    inventories: Sequence[Path], *, image: str = "", command: Sequence[str] = (), seconds: int = 60
) -> tuple[list[GpuVerdict], Run]:
    """Examine the GPUs of every host of the group `gpu`, or, on a site without it, of `inference`.

    Args:
        inventories: Inventory sources.
        image: Image of a container that loads the GPUs; empty: the command is a program of the host.
        command: The load; empty and without an image: no load.
        seconds: When it is stopped.

    Raises:
        RackwrightError: No host was asked.
    """
    load = {"gpu_check_image": image, "gpu_check_command": list(command), "gpu_check_seconds": seconds}
    arguments = ["-e", json.dumps(load)] if image or command else []
    run = run_playbook(PLAYBOOK, inventories, arguments=arguments)
    return verdicts(run), run


def verdicts(run: Run) -> list[GpuVerdict]:
    """Return what the hosts of a run said, by name."""
    found = []
    for result in run.recap.results:
        if result.status == "unreachable":
            found.append(GpuVerdict(result.host, "unreachable", False, "", [], [], {}, {}))
        elif "verdict" in result.result:
            found.append(_verdict(result.host, result.result))
    if not found:
        text = "; ".join(result.message for result in run.recap.failed)
        raise RackwrightError(
            f"no host was asked: {text or 'the groups gpu and inference are empty'}",
            hint=f"the run's output is in {run.log}",
        )
    return sorted(found, key=lambda entry: entry.host)


def _verdict(host: str, said: Mapping[str, Any]) -> GpuVerdict:
    return GpuVerdict(
        host=host,
        verdict=str(said["verdict"]),
        ok=bool(said["ok"]),
        driver=str(said.get("driver") or ""),
        gpus=list(said.get("gpus") or ()),
        findings=[HostFinding(host=host, **finding) for finding in said.get("findings") or ()],
        burn_in=said.get("burn_in") or {},
        nccl=said.get("nccl") or {},
    )


def as_table(found: Sequence[GpuVerdict]) -> Table:
    """Return the verdicts for people: a line per host, then what is wrong and how to mend it."""
    table = Table(box=None, padding=(0, 2), show_edge=False)
    for column in ("host", "", "driver", "GPUs"):
        table.add_column(column)
    table.add_column("found, and how to mend it", overflow="fold")
    for entry in found:
        mark = Text(_WORDS.get(entry.verdict, entry.verdict), style=_STYLES.get(entry.verdict, ""))
        models = [str(gpu.get("model")) for gpu in entry.gpus]
        counted = "\n".join(f"{models.count(name)} x {name}" for name in dict.fromkeys(models)) or "none"
        said = "\n".join(f"{finding.found}\n  {finding.mend}" for finding in entry.findings)
        table.add_row(entry.host, mark, entry.driver or "none", counted, said)
    return table
