"""What a host is to be: the site's part of what its observations are judged by."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from rackwright.catalogue.model import Service
from rackwright.preflight.finding import HostFinding, Severity
from rackwright.preflight.limits import Limits
from rackwright.tiers.model import Tier


@dataclass(frozen=True, kw_only=True)
class Subject:
    """One host of the platform.

    Attributes:
        name: Its name in the inventory.
        address: Its address in its zone.
        zone: Its zone.
        zones: Subnet of every zone of the site.
        services: The catalogue's services that it runs, by name.
        replaced: For each that was selected, those whose place it takes: what its variable selects else.
        inference: Whether it serves models.
        limits: What preflight asks of every host.
        tier: What the site is sized for.
        memory_mb: What its services are planned with; None where neither the inventory nor a scan says it.
        memory_from: Which of them says it.
        cpus: The same for cores.
        cpus_from: The same for cores.
        package_proxy: The site's proxy for packages, or empty.
        dns_servers: The site's name servers.
        ntp_servers: The site's time servers.
        docker_pools: Networks from which Docker takes its own.
        unsupported: For each role that some system lacks: system (`debian-12`, `debian`) -> reason.
        plan: Works out what the services get of so many MiB and cores; raises RackwrightError.
    """

    name: str
    address: str
    zone: str
    zones: Mapping[str, str]
    services: Mapping[str, Service]
    inference: bool
    limits: Limits
    replaced: Mapping[str, Mapping[str, Service]] = field(default_factory=dict)
    tier: Tier | None = None
    memory_mb: int | None = None
    memory_from: str = "host_memory_mb of the inventory"
    cpus: int | None = None
    cpus_from: str = "host_cpus of the inventory"
    package_proxy: str = ""
    dns_servers: tuple[str, ...] = ()
    ntp_servers: tuple[str, ...] = ()
    docker_pools: tuple[str, ...] = ()
    unsupported: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    plan: Callable[[int, int], object] | None = None

    def finding(self, severity: Severity, check: str, found: str, needed: str, mend: str = "") -> HostFinding:
        """Return a finding on this host."""
        return HostFinding(severity, self.name, check, found, needed, mend)

    def ok(self, check: str, found: str, needed: str) -> HostFinding:
        """Return that a check passed."""
        return self.finding("ok", check, found, needed)
