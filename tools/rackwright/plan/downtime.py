"""How long services would not answer: from restarts timed in earlier runs, else by rule of thumb."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rackwright.plan.model import INTERRUPTING, Downtime, HostPlan, Item

# Rules of thumb in seconds, till a service answers again; docs/plan.md says why. By role.
DEFAULT_SECONDS: Mapping[str, float] = {
    "postgresql": 5.0,
    "mariadb": 5.0,
    "mongodb": 10.0,
    "redis": 3.0,
    "nginx": 1.0,
    "haproxy": 1.0,
    "traefik": 2.0,
    "app": 5.0,
    "node_exporter": 1.0,
    "docker": 5.0,
    "llama_cpp": 60.0,
    "ollama": 60.0,
    "vllm": 240.0,
}
DEFAULT_UNIT, DEFAULT_CONTAINER, DEFAULT_REBOOT = 5.0, 30.0, 180.0
# Older restarts say little about today's data.
_NEWEST = 5


@dataclass(frozen=True)
class Served:
    """What the catalogue says of a service: what runs it, and who calls it."""

    unit: str
    container: str
    callers: tuple[str, ...] = ()


@dataclass(frozen=True)
class Timed:
    """One restart of an earlier run."""

    site: str
    host: str
    name: str
    seconds: float


def timed_restarts(runs: Path) -> list[Timed]:
    """Read the restarts that earlier runs timed, the newest first.

    Args:
        runs: the directory of the runs' summaries.
    """
    found: list[Timed] = []
    for path in sorted(runs.glob("*/summary.json"), reverse=True):
        try:
            summary = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue  # a run that was interrupted while it wrote
        found += [
            Timed(summary.get("site", ""), entry["host"], entry["name"], float(entry["seconds"]))
            for entry in summary.get("restarts", ())
        ]
    return found


def downtimes(
    hosts: Sequence[HostPlan], services: Mapping[str, Served], known: Sequence[Timed], site: str
) -> tuple[Downtime, ...]:
    """Estimate how long services would not answer.

    Args:
        hosts: what would change.
        services: the catalogue's services by name.
        known: restarts that were timed, the newest first.
        site: which site this is; its own restarts count before those of others.
    """
    found: list[Downtime] = []
    for host in hosts:
        for part in host.services:
            for item in part.items:
                found += _interruption(host.name, part.service, item, services, known, site)
    return tuple(_merged(found))


def _interruption(
    host: str,
    role: str,
    item: Item,
    services: Mapping[str, Served],
    known: Sequence[Timed],
    site: str,
) -> Iterator[Downtime]:
    if item.kind == "reboot":
        yield Downtime(host, "host", DEFAULT_REBOOT, "reboot", "rule of thumb")
    if item.kind not in ("unit", "container") or item.action not in (*INTERRUPTING, "stopped"):
        return
    name = service_of(item.name, role, services)
    if name is None or item.action == "stopped":
        return
    seconds, basis = _estimate(host, item, name, known, site)
    yield Downtime(host, name, seconds, f"{item.name} {item.action}", basis, services[name].callers)


def service_of(unit: str, role: str, services: Mapping[str, Served]) -> str | None:
    """Return the service that a unit or container is; None for what serves nobody (a logger, a one-shot)."""
    for name, service in services.items():
        if unit in (service.unit, service.container):
            return name
    # An instance (postgresql@17-main.service) stands for its service.
    stem = unit.removesuffix(".service").partition("@")
    if stem[1] and stem[0] in services:
        return stem[0]
    return role if role in services and unit.removesuffix(".service") == role else None


def _estimate(host: str, item: Item, service: str, known: Sequence[Timed], site: str) -> tuple[float, str]:
    same = [timed for timed in known if timed.name == item.name]
    choices: Iterable[tuple[str, list[Timed]]] = (
        ("of this host", [timed for timed in same if (timed.site, timed.host) == (site, host)]),
        ("of this site", [timed for timed in same if timed.site == site]),
        ("of other sites", same),
    )
    for whose, timed in choices:
        if timed:
            newest = [entry.seconds for entry in timed[:_NEWEST]]
            count = f"median of {len(newest)} restarts" if len(newest) > 1 else "one restart"
            return statistics.median(newest), f"{count} {whose}, timed in earlier runs"
    fallback = DEFAULT_CONTAINER if item.kind == "container" else DEFAULT_UNIT
    return DEFAULT_SECONDS.get(service, fallback), "rule of thumb, none was timed yet"


def _merged(found: Iterable[Downtime]) -> list[Downtime]:
    """Add up what happens to one service of one host."""
    merged: dict[tuple[str, str], Downtime] = {}
    for entry in found:
        before = merged.get((entry.host, entry.service))
        if before is not None:
            basis = before.basis if before.basis == entry.basis else f"{before.basis}; {entry.basis}"
            merged[before.host, before.service] = replace(
                before,
                seconds=before.seconds + entry.seconds,
                cause=f"{before.cause}, {entry.cause}",
                basis=basis,
            )
        else:
            merged[entry.host, entry.service] = entry
    return sorted(merged.values(), key=lambda entry: (-entry.seconds, entry.host, entry.service))
