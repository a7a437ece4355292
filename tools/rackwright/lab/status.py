"""How a lab stands: the inventory's hosts beside what Docker and systemd say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from rackwright.lab.docker import execute, inspect, names
from rackwright.lab.model import (
    DOUBLE_LABEL,
    GATEWAY,
    HOST_LABEL,
    LAB_LABEL,
    RELEASE_LABEL,
    ZONE_LABEL,
    Lab,
)
from rackwright.lab.progress import in_parallel


@dataclass(frozen=True)
class MachineStatus:
    """One machine.

    Attributes:
        host: Its inventory name, or `gateway`.
        zone: The network it stands in.
        address: By which it is reached.
        state: Docker's word for it (`running`, `exited`, …), or `absent`.
        systemd: systemd's word (`running`, `degraded`, …), empty when it does not run.
        release: Debian's code name.
        double: What it stands in for, when it is a contract double and not the real service.
    """

    host: str
    zone: str
    address: str
    state: str
    systemd: str
    release: str
    double: str

    def as_dict(self) -> dict[str, str]:
        """Return the fields for JSON."""
        return asdict(self)


def lab_status(lab: Lab) -> list[MachineStatus]:
    """Return how the gateway, the inventory's hosts and whatever else carries the lab's label stand."""
    containers = inspect("container", *names("container", lab.label))
    found = {_label(shown, HOST_LABEL): shown for shown in containers}
    legs = ", ".join(str(network.gateway) for network in lab.networks)
    rows: list[tuple[str, str, str, Mapping[str, Any] | None]] = [
        (GATEWAY, GATEWAY, legs, found.pop(GATEWAY, None))
    ]
    rows += [
        (host.name, host.network.zone, str(host.address), found.pop(host.name, None)) for host in lab.hosts
    ]
    rows += [(name, _label(shown, ZONE_LABEL), "", shown) for name, shown in sorted(found.items())]
    return in_parallel(rows, lambda row: _machine(*row))


def all_labs() -> dict[str, list[str]]:
    """Return the names of the hosts that run, for each lab of this computer."""
    labs: dict[str, list[str]] = {}
    for shown in inspect("container", *names("container", LAB_LABEL)):
        labs.setdefault(_label(shown, LAB_LABEL), []).append(_label(shown, HOST_LABEL))
    return {name: sorted(hosts) for name, hosts in sorted(labs.items())}


def _machine(host: str, zone: str, address: str, shown: Mapping[str, Any] | None) -> MachineStatus:
    if shown is None:
        return MachineStatus(host, zone, address, "absent", "", "", "")
    state = str(shown["State"]["Status"])
    systemd = ""
    if state == "running":
        systemd = execute(shown["Name"].lstrip("/"), ["systemctl", "is-system-running"], check=False).strip()
    return MachineStatus(
        host, zone, address, state, systemd, _label(shown, RELEASE_LABEL), _label(shown, DOUBLE_LABEL)
    )


def _label(shown: Mapping[str, Any], name: str) -> str:
    return str(shown["Config"]["Labels"].get(name, ""))
