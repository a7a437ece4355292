"""Checks of who may reach the site, and of what its services need of each other."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping

from rackwright.catalogue.findings import Finding
from rackwright.catalogue.load import Catalogue
from rackwright.catalogue.site import ZONE_PREFIX
from rackwright.errors import RackwrightError
from rackwright.site.inventory import Inventory
from rackwright.site.names import host_name_problem
from rackwright.site.plain import Value

# Variables with addresses that hosts call or are called by -> what happens without one of the hosts' family.
_FAMILIES: Mapping[str, str] = {
    "management_sources": "nobody could administer them",
    "client_networks": "no client could use /api/",
    "dns_servers": "no host could ask them",
    "ntp_servers": "no host could ask them",
}
# The app's play takes the first database and the first cache; the edge's the app's hosts.
_NEEDS: Mapping[str, tuple[str, ...]] = {
    "app": ("postgresql", "redis"),
    "nginx": ("app",),
    "grafana": ("prometheus",),
}


def family_findings(inventory: Inventory, variables: Mapping[str, Value]) -> Iterator[Finding]:
    """Yield lists of addresses that have none of the hosts' family (IPv4, IPv6)."""
    hosts = {_version(inventory.hosts[name].variables) for name in inventory.members("platform")} - {None}
    for variable, consequence in _FAMILIES.items():
        given = variables.get(variable)
        if not isinstance(given, list) or not given or len(hosts) != 1:
            continue
        family = next(iter(hosts))
        families = {_family(item) for item in given}
        # What is no address has a finding of its own.
        if None not in families and family not in families:
            yield Finding(
                variable,
                ", ".join(map(str, given)),
                f"the hosts have IPv{family} addresses and none of these is one: {consequence}",
                f"add an IPv{family} address",
            )


def open_findings(variables: Mapping[str, Value]) -> Iterator[Finding]:
    """Yield allowlists that let everybody in; told, not refused: a firewall in front may do the work."""
    for variable, who in (("client_networks", "use /api/"), ("management_sources", "try to log in by SSH")):
        given = variables.get(variable)
        for network in given if isinstance(given, list) else ():
            if str(network) in {"0.0.0.0/0", "::/0"}:
                yield Finding(
                    variable,
                    str(network),
                    f"the whole world may {who}",
                    "name the networks that people sit in, e.g. 10.0.0.0/8",
                    severity="warning",
                )


def host_name_findings(inventory: Inventory) -> Iterator[Finding]:
    """Yield hosts whose name means something else, or cannot stand in a certificate."""
    for name in inventory.hosts:
        problem = host_name_problem(name)
        if problem is None and name in inventory.groups:
            problem = "an inventory group has this name"
        if problem is not None:
            yield Finding("hosts", name, problem, "rename it wherever the inventory names it", f"host {name}")


def group_need_findings(inventory: Inventory, catalogue: Catalogue) -> Iterator[Finding]:
    """Yield services that are needed and run nowhere, and groups of the catalogue that hold no host."""
    groups = {service.group for service in catalogue.services.values()}
    groups |= {"monitoring", "container_hosts"}
    groups |= {f"{ZONE_PREFIX}{zone}" for zone in catalogue.zone_policy}
    told: set[str] = set()
    for name, needs in _NEEDS.items():
        caller = catalogue.services.get(name)
        if caller is None or not inventory.members(caller.group):
            continue
        for need in needs:
            service = catalogue.services.get(need)
            if service is not None and not inventory.members(service.group) and service.group not in told:
                told.add(service.group)
                yield Finding(
                    "groups",
                    f"{service.group}: (no host)",
                    f"{name} ({', '.join(inventory.members(caller.group))}) needs {need}; no host runs it",
                    f"{service.group}: {{hosts: {{<host>: {{}}}}}}",
                    f"group {service.group}",
                )
    yield from _container_findings(inventory, catalogue)
    for group, members in inventory.groups.items():
        if group in groups and not members and group not in told:
            yield Finding(
                "groups",
                f"{group}: (no host)",
                "the inventory names this group and puts no host into it: nothing runs there",
                f"{group}: {{hosts: {{<host>: {{}}}}}}, or remove the group",
                f"group {group}",
                severity="warning",
            )


def _container_findings(inventory: Inventory, catalogue: Catalogue) -> Iterator[Finding]:
    """Yield hosts of containers that have no engine for them; what a site chooses has checks of its own."""
    engines = frozenset(inventory.members("container_hosts"))
    for name, service in catalogue.services.items():
        if service.container is None or service.when:
            continue
        for host in inventory.members(service.group):
            if host not in engines:
                yield Finding(
                    "groups",
                    f"{service.group}: {host}",
                    f"{name} runs in a container, and this host has no container engine",
                    f"put {host} into the group container_hosts",
                    f"host {host}",
                )


def _version(variables: Mapping[str, Value]) -> int | None:
    try:
        return ipaddress.ip_address(variables.get("ansible_host", "")).version
    except (ValueError, RackwrightError):
        return None


def _family(item: Value) -> int | None:
    try:
        return ipaddress.ip_network(str(item), strict=False).version
    except ValueError:
        return None
