"""From a site and a host's variables to what is asked of the solver."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rackwright.catalogue.logs import log_needs
from rackwright.catalogue.site import Site
from rackwright.sizing.budget import ServiceShare
from rackwright.sizing.host import HostRequest
from rackwright.sizing.intent import Intent
from rackwright.sizing.machine import Machine


def request_of(
    site: Site,
    host: str,
    machine: Machine,
    intent: Intent | None = None,
    options: Mapping[str, Any] | None = None,
) -> HostRequest:
    """Return what is asked of the solver for one host.

    Args:
        site: The site.
        host: One of its hosts of `platform`.
        machine: What the host has.
        intent: What the tier wants; None for a site without one.
        options: The host's variables; those that sizing reads are used, and only those are looked at.
    """
    return HostRequest(
        machine=machine,
        services={
            name: None
            if service.memory is None
            else ServiceShare(service.memory.weight, service.memory.minimum_mb)
            for name, service in site.services_of(host).items()
        },
        intent=intent or Intent(),
        hosts={name: len(site.hosts_of(name)) for name in site.catalogue.services},
        options=options or {},
        logs=log_needs(site, host),
    )
