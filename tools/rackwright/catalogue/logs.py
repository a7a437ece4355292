"""Where a host's logs are and how they are kept: the part `logs` of the variable `host_plan`."""

from __future__ import annotations

from typing import Any

from rackwright.catalogue.inference import VARIABLE
from rackwright.catalogue.log_model import ContainerLog, FileLog, JournalLog, Log, SignalReopen
from rackwright.catalogue.nothing import Nothing
from rackwright.catalogue.site import SHIPPED, Site
from rackwright.sizing.intent import Intent
from rackwright.sizing.logs import DAYS, LogNeeds


def logs_plan(site: Site, host: str, intent: Intent | None) -> dict[str, Any]:
    """Return `files`, `journals` and `containers` of a host, with the service that each is of.

    `files` are as `roles/base` rotates and `roles/log_shipper` reads them; `reopen` is a command, empty
    where the program needs none.
    """
    retention = intent.retention if intent is not None else {}
    found = _entries(site, host)
    return {
        "files": [
            {
                "service": service,
                "path": log.file,
                "format": log.format,
                "owner": log.owner,
                "group": log.group,
                "turned_by": log.turned_by or log.owner,
                "days": retention.get(log.keep, DAYS),
                "reopen": _command(log),
                "name": log.logrotate or f"rackwright-{service.replace('_', '-')}",
            }
            for service, log in found
            if isinstance(log, FileLog)
        ],
        "journals": {log.journal: service for service, log in found if isinstance(log, JournalLog)},
        "containers": {log.container: service for service, log in found if isinstance(log, ContainerLog)},
    }


def log_needs(site: Site, host: str) -> LogNeeds:
    """Return what of a host writes logs, for their space."""
    found = [log for _, log in _entries(site, host)]
    served = site.served_by(host).models
    engines = sum(
        max(0, len(served) - 1)
        for service in site.services_of(host).values()
        if service.container is not None and VARIABLE in service.when
    )
    return LogNeeds(
        files=max(1, sum(log.files for log in found if isinstance(log, FileLog))),
        containers=engines + sum(isinstance(log, ContainerLog) for log in found),
        shipped=host in site.groups.get(SHIPPED, ()),
    )


def _entries(site: Site, host: str) -> list[tuple[str, Log]]:
    return [
        (name, log)
        for name, service in site.services_of(host).items()
        if not isinstance(service.logs, Nothing)
        for log in service.logs
    ]


def _command(log: FileLog) -> str:
    if isinstance(log.reopen, Nothing):
        return ""
    if isinstance(log.reopen, SignalReopen):
        return f"systemctl kill --kill-whom=main --signal={log.reopen.signal} {log.reopen.unit}"
    return log.reopen.command
