"""Whether the catalogue's services run here, as systemd and Docker see it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from rackwright.host_metrics.commands import UnavailableError, ask_docker, run
from rackwright.host_metrics.exposition import Family


def services(wanted: Iterable[Mapping[str, Any]]) -> list[Family]:
    """Return 1 for each service that runs, 0 for each that does not.

    Args:
        wanted: `service`, and `unit` or `container`, of each.
    """
    entries = list(wanted)
    units = _units([str(entry["unit"]) for entry in entries if entry.get("unit")])
    containers = _containers() if any(entry.get("container") for entry in entries) else {}
    up = Family("rackwright_service_up", "Whether a service of the catalogue runs on this host.")
    for entry in entries:
        name = str(entry.get("unit") or entry.get("container") or "")
        runs = units.get(name, False) if entry.get("unit") else containers.get(name, False)
        if name:
            up.set(float(runs), service=str(entry["service"]), name=name)
    return [up]


def _units(names: list[str]) -> dict[str, bool]:
    if not names:
        return {}
    # A unit that is being started anew is not down yet; one that fails again and again is.
    text = run(["systemctl", "show", "--property=Id,ActiveState", "--", *names], good=(0, 1))
    found = {}
    for name, block in zip(names, text.strip().split("\n\n"), strict=False):
        values = dict(line.partition("=")[::2] for line in block.splitlines())
        found[name] = values.get("ActiveState") in ("active", "reloading")
    return found


def _containers() -> dict[str, bool]:
    try:
        answer = ask_docker("/containers/json")
    except UnavailableError:
        return {}
    return {
        name.lstrip("/"): "(unhealthy)" not in str(container.get("Status", ""))
        for container in answer
        for name in container["Names"]
    }
