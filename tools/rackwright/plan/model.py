"""A plan: hosts, their services, and what would change in each."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

SCHEMA_VERSION = 1
# Steps of a unit or a container that keep users waiting, and what they are called.
INTERRUPTING = ("restarted", "recreated")


@dataclass(frozen=True)
class Difference:
    """The text of a file before and after; never that of a secret one."""

    before: str
    after: str

    def as_dict(self) -> dict[str, str]:
        """Return both for JSON."""
        return {"before": self.before, "after": self.after}


@dataclass(frozen=True)
class Item:
    """One thing that would change.

    Attributes:
        kind: file, package, unit, container, certificate, firewall, database, object, kernel_setting, user,
            group, release, reboot or task.
        name: path, package, unit, flow in words, …
        action: what would be done with it: created, changed, removed, installed, upgraded, started,
            restarted, reloaded, enabled, disabled, stopped, recreated, issued, renewed, repaired, allowed, …
        detail: why, or from what to what; may be empty.
        diff: the contents, where they may be shown.
    """

    kind: str
    name: str
    action: str
    detail: str = ""
    diff: Difference | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the item for JSON."""
        shown = {"kind": self.kind, "name": self.name, "action": self.action, "detail": self.detail}
        return {**shown, "diff": None if self.diff is None else self.diff.as_dict()}


@dataclass(frozen=True)
class Downtime:
    """How long a service would not answer on one host.

    Attributes:
        host: inventory name.
        service: its name in the catalogue, or the unit where the catalogue has none.
        seconds: the estimate; 0 when nobody asks it (a one-shot, a logger).
        cause: which step takes it away.
        basis: where the estimate comes from.
        affects: services that call it and wait meanwhile.
    """

    host: str
    service: str
    seconds: float
    cause: str
    basis: str
    affects: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return the estimate for JSON."""
        return {
            "host": self.host,
            "service": self.service,
            "seconds": round(self.seconds, 1),
            "cause": self.cause,
            "basis": self.basis,
            "affects": list(self.affects),
        }


@dataclass(frozen=True)
class Trouble:
    """A task that could not be asked.

    Attributes:
        host: inventory name.
        kind: `failed` or `unreachable`.
        task: its name, with its role.
        message: what it said.
    """

    host: str
    kind: str
    task: str
    message: str

    def as_dict(self) -> dict[str, str]:
        """Return the trouble for JSON."""
        return {"host": self.host, "kind": self.kind, "task": self.task, "message": self.message}


@dataclass(frozen=True)
class ServicePlan:
    """What would change for one service of a host; `service` is the role's name, or `packages`."""

    service: str
    items: tuple[Item, ...]


@dataclass(frozen=True)
class HostPlan:
    """What would change on one host; without services nothing would."""

    name: str
    services: tuple[ServicePlan, ...]

    @property
    def items(self) -> tuple[Item, ...]:
        """All items of all services."""
        return tuple(item for service in self.services for item in service.items)


@dataclass(frozen=True)
class Plan:
    """What a run would change.

    Attributes:
        hosts: every host that was asked, by name.
        downtimes: services that would not answer for a while.
        troubles: hosts that do not answer and tasks that failed.
        notes: what could not be foreseen, and why.
        seconds: how long it took to ask.
    """

    hosts: tuple[HostPlan, ...]
    downtimes: tuple[Downtime, ...] = ()
    troubles: tuple[Trouble, ...] = ()
    notes: tuple[str, ...] = ()
    seconds: float = field(default=0.0, compare=False)

    @property
    def changes(self) -> int:
        """How many things would change."""
        return sum(len(host.items) for host in self.hosts)

    @property
    def reboots(self) -> tuple[str, ...]:
        """The hosts that would be started anew."""
        return tuple(host.name for host in self.hosts if any(item.kind == "reboot" for item in host.items))

    @property
    def exit_code(self) -> int:
        """0 nothing to do, 2 changes, 1 not everything could be asked."""
        return 1 if self.troubles else 2 if self.changes else 0

    def counted(self, *actions: str) -> int:
        """Count the units and containers that would take one of these steps."""
        return sum(
            item.action in actions
            for host in self.hosts
            for item in host.items
            if item.kind in ("unit", "container")
        )

    def as_dict(self) -> dict[str, Any]:
        """Return the plan for machines; docs/plan.md describes it."""
        return {
            "schema": {"name": "rackwright.plan", "version": SCHEMA_VERSION},
            "summary": {
                "hosts": len(self.hosts),
                "hosts_with_changes": sum(bool(host.items) for host in self.hosts),
                "changes": self.changes,
                "restarts": self.counted(*INTERRUPTING),
                "reloads": self.counted("reloaded"),
                "starts": self.counted("started"),
                "reboots": list(self.reboots),
                "longest_downtime_seconds": round(max((d.seconds for d in self.downtimes), default=0.0), 1),
                "failed": sum(trouble.kind == "failed" for trouble in self.troubles),
                "unreachable": sum(trouble.kind == "unreachable" for trouble in self.troubles),
                "exit_code": self.exit_code,
                "seconds": round(self.seconds, 1),
            },
            "downtime": [entry.as_dict() for entry in self.downtimes],
            "hosts": [
                {
                    "name": host.name,
                    "changes": len(host.items),
                    "services": [
                        {"service": part.service, "items": [item.as_dict() for item in part.items]}
                        for part in host.services
                    ],
                }
                for host in self.hosts
            ],
            "troubles": [trouble.as_dict() for trouble in self.troubles],
            "notes": list(self.notes),
        }
