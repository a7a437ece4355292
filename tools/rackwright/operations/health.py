"""Asks every service of a site how it is, through the service's own interface."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rackwright.errors import RackwrightError
from rackwright.operations.runner import Run, run_playbook

PLAYBOOK = "playbooks/health.yml"


@dataclass(frozen=True)
class ServiceHealth:
    """How one service on one host answered.

    Attributes:
        host: inventory name.
        service: name in the catalogue.
        ok: whether it answered as the catalogue says it must.
        detail: what it answered, or why it did not.
        latency_ms: time of the answer in milliseconds, None when there was none.
        certificate_days: days its certificate is still valid, None where it has none.
        version: what runs; empty where nobody knows.
        pinned: what should run; empty where nothing says so.
        as_pinned: whether that is the same, None where it cannot be told.
    """

    host: str
    service: str
    ok: bool
    detail: str
    latency_ms: float | None
    certificate_days: int | None
    version: str = ""
    pinned: str = ""
    as_pinned: bool | None = None


def health(inventories: Sequence[Path]) -> tuple[list[ServiceHealth], Run]:
    """Ask every service of the site.

    Args:
        inventories: inventory sources.

    Returns:
        One entry per host and service, and the run that asked. A host that does not answer has one entry with
        the service ``host``.

    Raises:
        RackwrightError: the run was refused before a host was asked.
    """
    run = run_playbook(PLAYBOOK, inventories)
    return entries(run), run


def entries(run: Run) -> list[ServiceHealth]:
    """Return what the hosts of a run of playbooks/health.yml answered, by host and service."""
    found: list[ServiceHealth] = []
    for result in run.recap.results:
        if result.status == "unreachable":
            found.append(
                ServiceHealth(
                    result.host,
                    "host",
                    ok=False,
                    detail=result.message,
                    latency_ms=None,
                    certificate_days=None,
                )
            )
        found.extend(_entry(result.host, check) for check in result.result.get("checks") or ())
    if not found:
        text = "; ".join(result.message for result in run.recap.failed)
        raise RackwrightError(
            f"no host was asked: {text or run.status}", hint=f"the run's output is in {run.log}"
        )
    return sorted(found, key=lambda entry: (entry.host, entry.service))


def _entry(host: str, check: Mapping[str, Any]) -> ServiceHealth:
    days = check.get("certificate_days")
    latency = check.get("latency_ms")
    return ServiceHealth(
        host=host,
        service=str(check["service"]),
        ok=bool(check["ok"]),
        detail=str(check.get("detail") or ""),
        latency_ms=float(latency) if latency is not None else None,
        certificate_days=int(days) if days is not None else None,
    )
