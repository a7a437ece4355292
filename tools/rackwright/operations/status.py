"""Everything that `rackwright health` tells: services with their versions, alerts that fire, GPUs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from rackwright.operations.health import ServiceHealth, entries
from rackwright.operations.runner import Run, run_playbook

PLAYBOOK = "playbooks/status.yml"
QUERIES: Sequence[Mapping[str, Any]] = (
    # The watchdog, which always fires, has the severity `none`.
    {"name": "alerts", "expr": 'ALERTS{alertstate="firing", severity!="none"}', "hours": 0},
    {"name": "gpu_celsius", "expr": "DCGM_FI_DEV_GPU_TEMP", "hours": 0},
    {"name": "gpu_load", "expr": "DCGM_FI_DEV_GPU_UTIL", "hours": 0},
    {
        "name": "gpu_memory",
        "expr": "100 * DCGM_FI_DEV_FB_USED / (DCGM_FI_DEV_FB_USED + DCGM_FI_DEV_FB_FREE)",
        "hours": 0,
    },
)


@dataclass(frozen=True)
class Alert:
    """An alert that fires now."""

    name: str
    severity: str
    host: str
    service: str


@dataclass(frozen=True)
class Gpu:
    """A GPU as its exporter tells: temperature, load and memory in use (percent); None: not told."""

    host: str
    gpu: str
    celsius: float | None
    load: float | None
    memory: float | None


@dataclass(frozen=True)
class Status:
    """How a site is.

    Attributes:
        services: one entry per host and service.
        alerts: what fires; None where nothing measures.
        gpus: as their exporter tells; empty where there are none, or nothing measures.
        unmeasured: why `alerts` is None.
    """

    services: tuple[ServiceHealth, ...]
    alerts: tuple[Alert, ...] | None
    gpus: tuple[Gpu, ...] = ()
    unmeasured: str = ""

    @property
    def ok(self) -> bool:
        """Whether every service is well; an alert is told, and is no service that is not well."""
        return all(entry.ok for entry in self.services)

    def as_dict(self) -> dict[str, Any]:
        """Return it for machines."""
        return {"ok": self.ok, **asdict(self)}


def status(inventories: Sequence[Path], tries: int | None = None) -> Status:
    """Ask the site.

    Args:
        inventories: inventory sources.
        tries: how often a service that is not well is asked; None for the playbook's own number.

    Raises:
        RackwrightError: the run was refused before a host was asked.
    """
    values: dict[str, Any] = {"measured_queries": list(QUERIES)}
    if tries is not None:
        values["health_tries"] = tries
    arguments = ["-e", json.dumps(values)]
    # Asked whether to stop, ansible-runner leaves ^C to us; else it would end this run alone.
    return status_of(run_playbook(PLAYBOOK, inventories, arguments=arguments, cancelled=lambda: False))


def status_of(run: Run) -> Status:
    """Return what a run of playbooks/status.yml has found."""
    versions: dict[tuple[str, str], Mapping[str, Any]] = {}
    answers: Mapping[str, Any] | None = None
    for result in run.recap.results:
        for entry in result.result.get("versions") or ():
            versions[result.host, entry["service"]] = entry
        answers = result.result.get("answers", answers)
    services = tuple(_with_version(entry, versions) for entry in entries(run))
    if answers is None:
        away = any(result.status == "unreachable" for result in run.recap.results)
        why = "hosts do not answer, and nobody asked Prometheus" if away else "the site has no Prometheus"
        return Status(services, None, unmeasured=why)
    if problem := answers.get("alerts", {}).get("error"):
        return Status(services, None, unmeasured=f"Prometheus does not answer: {problem}")
    return Status(services, tuple(_alerts(answers)), tuple(_gpus(answers)))


def _with_version(
    entry: ServiceHealth, versions: Mapping[tuple[str, str], Mapping[str, Any]]
) -> ServiceHealth:
    found = versions.get((entry.host, entry.service))
    if found is None:
        return entry
    return replace(
        entry,
        version=str(found["version"]),
        pinned=str(found.get("pinned") or ""),
        as_pinned=found.get("as_pinned"),
    )


def _alerts(answers: Mapping[str, Any]) -> Iterator[Alert]:
    found = []
    for entry in answers["alerts"].get("result", ()):
        labels = entry["metric"]
        texts = [labels.get(name, "") for name in ("alertname", "severity", "host", "service")]
        found.append(Alert(*texts))
    yield from sorted(found, key=lambda alert: (alert.severity, alert.name, alert.host))


def _gpus(answers: Mapping[str, Any]) -> Iterator[Gpu]:
    values: dict[tuple[str, str], dict[str, float]] = {}
    for name in ("celsius", "load", "memory"):
        for entry in answers.get(f"gpu_{name}", {}).get("result", ()):
            labels = entry["metric"]
            key = (labels.get("host", ""), labels.get("gpu", ""))
            values.setdefault(key, {})[name] = float(entry["value"][1])
    for (host, gpu), found in sorted(values.items()):
        yield Gpu(host, gpu, found.get("celsius"), found.get("load"), found.get("memory"))
