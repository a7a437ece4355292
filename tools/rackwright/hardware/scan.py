"""Scans a site's hosts and keeps each one's hardware.yml."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from rackwright.errors import RackwrightError
from rackwright.hardware.build import hardware_of
from rackwright.hardware.model import Hardware
from rackwright.hardware.store import Change, changes, load, path_of, settled, write
from rackwright.operations.events import TaskResult
from rackwright.operations.runner import Run, run_playbook
from rackwright.preflight.finding import HostFinding

PLAYBOOK = "playbooks/scan.yml"
Status = Literal["new", "changed", "unchanged", "unreachable", "failed"]


@dataclass(frozen=True)
class HostScan:
    """What a scan of one host came to.

    Attributes:
        host: inventory name.
        status: what it means for the host's file; `unreachable` and `failed` leave it as it is.
        path: the host's file.
        hardware: what the host is made of; None where it was not read.
        changes: what differs from the stored file.
        findings: what is odd about the host.
        message: why it was not read.
    """

    host: str
    status: Status
    path: Path
    hardware: Hardware | None = None
    changes: tuple[Change, ...] = ()
    findings: tuple[HostFinding, ...] = field(default=())
    message: str = ""

    @property
    def read(self) -> bool:
        """Whether the host answered and its answer could be read."""
        return self.hardware is not None


def scan_site(
    inventories: Sequence[Path], *, limit: str = "", keep: bool = True
) -> tuple[list[HostScan], Run]:
    """Scan the hosts, all at once, and write what has changed.

    Args:
        inventories: inventory sources.
        limit: pattern of the hosts to scan; empty for all.
        keep: whether to write; False only compares.

    Returns:
        One entry per host, by name, and the run.

    Raises:
        RackwrightError: no host was asked.
    """
    run = run_playbook(PLAYBOOK, inventories, arguments=["--limit", limit] if limit else [])
    found = [_of_result(result, inventories) for result in run.recap.results]
    if not found:
        tail = re.sub(r"\x1b\[[0-9;]*m", "", run.log.read_text(encoding="utf-8")[-1500:]).strip()
        raise RackwrightError(
            f"no host was asked ({run.status}): {tail}",
            hint=f"check the inventory and --limit; the run's output is in {run.log}",
        )
    if keep:
        for scan in found:
            if scan.hardware is not None and scan.status != "unchanged":
                write(scan.path, scan.host, scan.hardware)
    return sorted(found, key=lambda scan: scan.host), run


def _of_result(result: TaskResult, inventories: Sequence[Path]) -> HostScan:
    path = path_of(inventories, result.host)
    if result.status not in {"ok", "changed"} or "raw" not in result.result:
        status: Status = "unreachable" if result.status == "unreachable" else "failed"
        return HostScan(result.host, status, path, message=result.message or "it gave no answer")
    return compare(result.host, path, result.result["raw"])


def compare(host: str, path: Path, raw: dict[str, Any]) -> HostScan:
    """Return what a host's answer means for its file."""
    try:
        hardware, findings = hardware_of(host, raw)
    except RackwrightError as error:
        return HostScan(host, "failed", path, message=error.message)
    stored, wrong = load(path)
    odd = [
        *findings,
        *(
            HostFinding("warning", host, "stored", f"{item.variable} = {item.value}", item.rule, item.hint)
            for item in wrong
        ),
    ]
    if stored is None:
        status: Status = "changed" if wrong else "new"
        return HostScan(host, status, path, hardware, findings=tuple(odd))
    hardware = settled(stored, hardware)
    differences = tuple(changes(stored, hardware))
    return HostScan(
        host, "changed" if differences else "unchanged", path, hardware, differences, findings=tuple(odd)
    )
