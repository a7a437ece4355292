"""A site: the catalogue's services placed on the hosts of an inventory."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from rackwright.catalogue.choices import CHOICES
from rackwright.catalogue.egress import Egress, to_provider
from rackwright.catalogue.inference import VARIABLE, Serving
from rackwright.catalogue.load import Catalogue
from rackwright.catalogue.model import Service
from rackwright.catalogue.nothing import Nothing
from rackwright.errors import RackwrightError
from rackwright.site.addresses import single

ZONE_PREFIX = "zone_"
# The group of backup hosts, and the one that follows from it: the hosts whose services have state.
BACKUP = "backup"
BACKED_UP = "backed_up"
# The group of the hosts that watch, and the one that follows from it: all hosts of a site that is watched.
MONITORING = "monitoring"
MONITORED = "monitored"
# The hosts whose lines are sent to a log store: all, where the site has one.
SHIPPED = "shipped"
LOG_STORE, NO_STORE = "log_store", "none"
_NOT_SAID = Serving()


@dataclass(frozen=True)
class SiteHost:
    """A host of the site. `zone` is empty for a host that is in none (group `outside`)."""

    name: str
    address: str
    zone: str

    @property
    def cidr(self) -> str:
        """The host's address as a network of one."""
        return single(self.address)


@dataclass(frozen=True)
class Site:
    """A whole site, as far as flows and plans need it.

    Attributes:
        name: The site's name.
        domain: The domain of its public names.
        catalogue: What may run.
        hosts: The hosts of `platform`, by name, in the inventory's order.
        outside: The hosts of `outside`: clients in no zone, for tests.
        groups: Inventory groups, each with all its hosts.
        zone_networks: The subnet of each zone.
        management_sources: Networks from which hosts are administered.
        package_proxy: URL of the proxy that packages come through; empty for none.
        dns_servers: Addresses of the resolvers.
        ntp_servers: Addresses of the time servers.
        egress: What else hosts may call outside.
        serving: What each host of the group `inference` serves; one that is not named, what `Serving()` says.
        choices: What the site has chosen, by variable (`rackwright.catalogue.choices`).
    """

    name: str
    domain: str
    catalogue: Catalogue
    hosts: Mapping[str, SiteHost]
    outside: Mapping[str, SiteHost]
    groups: Mapping[str, Sequence[str]]
    zone_networks: Mapping[str, str]
    management_sources: Sequence[str]
    package_proxy: str = ""
    dns_servers: Sequence[str] = ()
    ntp_servers: Sequence[str] = ()
    egress: Sequence[Egress] = ()
    serving: Mapping[str, Serving] = field(default_factory=dict)
    choices: Mapping[str, str] = field(default_factory=dict)

    def hosts_of(self, service: str) -> tuple[SiteHost, ...]:
        """Return the hosts of the platform that run a service, in the inventory's order."""
        found = self.catalogue.services[service]
        hosts = self.group_hosts(found.group)
        return tuple(host for host in hosts if self._runs(service, host.name))

    def served_by(self, host: str) -> Serving:
        """Return what a host of the group `inference` serves."""
        return self.serving.get(host, _NOT_SAID)

    def values_of(self, host: str) -> dict[str, str]:
        """Return the variables by which services are selected, with their values on a host."""
        usual = {variable: choice.without[0] for variable, choice in CHOICES.items()}
        return {**usual, **self.choices, VARIABLE: self.served_by(host).engine}

    def group_hosts(self, group: str) -> tuple[SiteHost, ...]:
        """Return the hosts of the platform that are in a group; none for a group that does not exist."""
        members = frozenset(self.groups.get(group, ()))
        return tuple(host for host in self.hosts.values() if host.name in members)

    def services_of(self, host: str) -> dict[str, Service]:
        """Return the services that a host runs, by name, in the catalogue's order."""
        return {name: service for name, service in self.catalogue.services.items() if self._runs(name, host)}

    def _runs(self, service: str, host: str) -> bool:
        """Tell whether a host runs a service; an exporter runs where something is that it tells of."""
        found = self.catalogue.services[service]
        if host not in self.groups.get(found.group, ()) or not found.selected(self.values_of(host)):
            return False
        about = self.catalogue.told_of_by.get(service, ())
        return not about or any(self._runs(other, host) for other in about)


def place(
    catalogue: Catalogue,
    *,
    name: str,
    domain: str,
    groups: Mapping[str, Sequence[str]],
    addresses: Mapping[str, str],
    zones: Mapping[str, Mapping[str, str]],
    management_sources: Sequence[str],
    package_proxy: str = "",
    dns_servers: Sequence[str] = (),
    ntp_servers: Sequence[str] = (),
    egress: Sequence[Mapping[str, object]] = (),
    sign_in_provider: Mapping[str, object] | None = None,
    serving: Mapping[str, Serving] | None = None,
    choices: Mapping[str, str] | None = None,
) -> Site:
    """Place the catalogue on the hosts of an inventory.

    Args:
        catalogue: From `load_catalogue`.
        name: site_name.
        domain: domain.
        groups: Inventory group -> all its hosts.
        addresses: Host -> ansible_host, for the hosts of `platform` and `outside`.
        zones: The site's `zones`: zone -> {cidr}.
        management_sources: CIDRs.
        package_proxy: URL, or empty.
        dns_servers: Addresses.
        ntp_servers: Addresses.
        egress: What else hosts may call: entries of `egress_allowed`.
        sign_in_provider: The site's identity provider, which the app's hosts may call.
        serving: Host of the group `inference` -> its engine and models.
        choices: Variable -> what the site has chosen.

    Raises:
        RackwrightError: A zone that zone_policy does not know; a host of the platform in no zone or in
            several, or without an address; an engine that no service has.
    """
    for zone in zones:
        if zone not in catalogue.zone_policy:
            raise RackwrightError(
                f"zones has {zone!r}, which zone_policy does not know",
                hint=f"the zones are {', '.join(catalogue.zone_policy)}",
            )
    engines = catalogue.selectable(VARIABLE)
    for host, served in (serving or {}).items():
        if served.engine not in engines:
            raise RackwrightError(
                f"{VARIABLE} of {host} is {served.engine!r}, which no service of the catalogue is",
                hint=f"the engines are {', '.join(engines)}",
            )
    hosts = {}
    for host in groups.get("platform", ()):
        standing = [zone for zone in zones if host in groups.get(f"{ZONE_PREFIX}{zone}", ())]
        if len(standing) != 1:
            raise RackwrightError(
                f"host {host} is in {'no zone' if not standing else 'the zones ' + ', '.join(standing)}; "
                "a host of `platform` stands in exactly one",
                hint=f"put it in one of the groups {', '.join(ZONE_PREFIX + zone for zone in zones)}",
            )
        hosts[host] = SiteHost(host, _address(host, addresses), standing[0])
    outside = {
        host: SiteHost(host, _address(host, addresses), "")
        for host in groups.get("outside", ())
        if host not in hosts
    }
    site = Site(
        name=name,
        domain=domain,
        catalogue=catalogue,
        hosts=hosts,
        outside=outside,
        groups=groups,
        zone_networks={zone: settings["cidr"] for zone, settings in zones.items()},
        management_sources=tuple(management_sources),
        package_proxy=package_proxy,
        dns_servers=tuple(dns_servers),
        ntp_servers=tuple(ntp_servers),
        egress=(*map(Egress.model_validate, egress), *to_provider(sign_in_provider or {})),
        serving=serving or {},
        choices=choices or {},
    )
    watched = list(hosts) if site.group_hosts(MONITORING) else []
    shipped = [] if site.choices.get(LOG_STORE, NO_STORE) == NO_STORE else list(hosts)
    return replace(site, groups={**groups, SHIPPED: shipped, BACKED_UP: _stateful(site), MONITORED: watched})


def _stateful(site: Site) -> list[str]:
    """Return the hosts that have something to back up, where the site has somewhere to put it."""
    if not site.group_hosts(BACKUP):
        return []
    return [
        name
        for name in site.hosts
        if any(not isinstance(service.state, Nothing) for service in site.services_of(name).values())
    ]


def everywhere(address: str) -> str:
    """Return the network of all addresses, in the family of `address`."""
    return "0.0.0.0/0" if ipaddress.ip_address(address).version == 4 else "::/0"  # noqa: PLR2004 - IPv4


def _address(host: str, addresses: Mapping[str, str]) -> str:
    address = addresses.get(host, "")
    try:
        return str(ipaddress.ip_address(address))
    except ValueError as error:
        raise RackwrightError(
            f"ansible_host of {host} is {address!r}; it must be the host's address in its zone",
            hint="write an IPv4 or IPv6 address: the firewall's rules are made from it",
        ) from error
