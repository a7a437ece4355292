"""The program: asks each collector in its own time, and writes a file for each."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rackwright.host_metrics import apparmor, containers, gpu, host, logstash, ollama, services
from rackwright.host_metrics.access_log import AccessLog
from rackwright.host_metrics.commands import DOCKER, UnavailableError
from rackwright.host_metrics.exposition import Family, Histogram, rendered, write

Collect = Callable[[], Iterable[Family | Histogram]]
OFTEN, SELDOM, HOURLY = 15.0, 300.0, 3600.0


@dataclass
class Collector:
    """One collector: its name, seconds between two looks, and when the next is due (monotonic)."""

    name: str
    period: float
    collect: Collect
    due: float = 0.0


def collectors(settings: dict[str, Any]) -> list[Collector]:
    """Return what there is to collect on this host."""
    wanted = settings["services"]
    found = [
        Collector("services", OFTEN, lambda: services.services(wanted)),
        Collector("firewall", OFTEN, host.firewall),
        Collector("reboot", SELDOM, host.reboot),
    ]
    if Path(DOCKER).exists() or any(entry["service"] == "docker" for entry in wanted):
        found.append(Collector("containers", OFTEN, containers.containers))
    if settings["gpus"]:
        found.append(Collector("gpus", OFTEN, lambda: gpu.gpus(settings["gpus"])))
    if settings["logstash"]:
        found.append(Collector("logstash", OFTEN, lambda: logstash.logstash(**settings["logstash"])))
    if settings["ollama"]:
        found.append(Collector("ollama", OFTEN, lambda: ollama.ollama(**settings["ollama"])))
    if settings["confined"] and apparmor.possible():
        found.append(Collector("apparmor", OFTEN, apparmor.AppArmor(settings["confined"]).read))
    for log in settings["access_logs"]:
        follower = AccessLog(str(log["name"]), Path(log["path"]))
        found.append(Collector(f"access_{log['name']}", OFTEN, follower.read))
    if settings["audit_command"]:
        found.append(Collector("audit", HOURLY, lambda: host.audit(settings["audit_command"])))
    return found


def look(found: Iterable[Collector], directory: Path, outcome: Family, now: float) -> None:
    """Ask every collector that is due, and say of each whether it could answer."""
    for collector in found:
        if collector.due > now:
            continue
        collector.due = now + collector.period
        path = directory / f"rackwright-{collector.name}.prom"
        try:
            write(path, rendered(collector.collect()))
            good = True
        except (UnavailableError, OSError, ValueError, KeyError) as error:
            sys.stderr.write(f"{collector.name}: {error!r}\n")
            # Old numbers would look like new ones.
            path.unlink(missing_ok=True)
            good = False
        outcome.set(float(good), collector=collector.name)
    write(directory / "rackwright-collectors.prom", rendered([outcome]))


def main() -> None:
    """Read the settings that the first argument names, and look until the end."""
    settings = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    directory = Path(settings["directory"])
    outcome = Family(
        "rackwright_collector_ok", "Whether one of our own collectors could answer the last time."
    )
    found = collectors(settings)
    known = {f"rackwright-{collector.name}.prom" for collector in found}
    for path in directory.glob("rackwright-*.prom"):
        # Of collectors that this host has no more; the backups' link is theirs.
        if path.name not in known and not path.is_symlink():
            path.unlink()
    while True:
        look(found, directory, outcome, time.monotonic())
        time.sleep(OFTEN)
