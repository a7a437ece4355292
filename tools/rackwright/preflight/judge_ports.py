"""Ports that somebody else listens on."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator

from rackwright.catalogue.model import Service, VectorsState
from rackwright.preflight.finding import HostFinding
from rackwright.preflight.observations import Listener, Observations
from rackwright.preflight.subject import Subject


def port_findings(subject: Subject, seen: Observations) -> Iterator[HostFinding]:
    """Yield every port of this host's services that another program has."""
    free = True
    for name, service in subject.services.items():
        for port_name, port in service.ports.items():
            needed = f"{port.protocol} {port.port} for {name} ({port_name})"
            for listener in seen.listeners:
                if (listener.port, listener.protocol) != (port.port, port.protocol):
                    continue
                # What it takes the place of gives the port back when it does.
                ours = {name: service, **subject.replaced.get(name, {})}
                if any(is_ours(*one, listener) for one in ours.items()):
                    continue
                if not in_the_way(listener.address, subject.address):
                    continue
                free = False
                yield subject.finding(
                    "error",
                    "ports",
                    f"{listener.protocol} {_at(listener)}: {holder(listener)}",
                    needed,
                    f"stop it (`systemctl disable --now {listener.unit}`), or move it to another port"
                    if listener.unit and not listener.container
                    else "stop it, or move it to another port",
                )
    if free:
        count = sum(len(service.ports) for service in subject.services.values())
        yield subject.ok("ports", f"{count} free or ours", "the ports of this host's services")


def is_ours(name: str, service: Service, listener: Listener) -> bool:
    """Tell whether a listener is the service itself, by its unit, its container, or the door before that.

    A unit counts with its instances and its socket: postgresql@17-main.service is postgresql.service. So
    does a container with those of further instances: vllm_1 is vllm's.
    """
    if isinstance(service.state, VectorsState) and not listener.container:
        return _stem(listener.unit) == service.state.door
    if service.container is not None:
        return re.fullmatch(rf"{re.escape(service.container)}(_\d+)?", listener.container) is not None
    if service.unit is None or listener.container:
        return False
    stems = {_stem(service.unit), name}
    # The same program under the name that other releases give its unit.
    if "ssh" in stems:
        stems.add("sshd")
    return _stem(listener.unit) in stems


def _stem(unit: str) -> str:
    return unit.rpartition(".")[0].partition("@")[0]


def in_the_way(taken: str, wanted: str) -> bool:
    """Tell whether an address that is listened on keeps others from `wanted` or from loopback."""
    address = ipaddress.ip_address(taken)
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    return address.is_unspecified or address.is_loopback or str(address) == wanted


def holder(listener: Listener) -> str:
    """Return who holds a port, in a few words."""
    if listener.container:
        return f"container {listener.container}"
    if listener.program:
        return f"{listener.program} ({listener.unit})" if listener.unit else listener.program
    return listener.unit or "the kernel, or a program of another name space"


def _at(listener: Listener) -> str:
    address = f"[{listener.address}]" if ":" in listener.address else listener.address
    return f"{address}:{listener.port}"
