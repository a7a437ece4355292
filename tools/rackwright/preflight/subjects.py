"""What each host is to be, from the site's inventory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from rackwright.catalogue.model import Service
from rackwright.catalogue.site import Site
from rackwright.preflight.limits import load_limits
from rackwright.preflight.subject import Subject
from rackwright.site.inventory import Inventory
from rackwright.site.known import role_options
from rackwright.site.load import site_of
from rackwright.site.paths import repository_root
from rackwright.site.plain import plain
from rackwright.sizing.intent import Intent
from rackwright.sizing.placement import request_of
from rackwright.sizing.remedies import size_host_or_explain
from rackwright.sizing.variables import intent_from, machine_from, options_of
from rackwright.tiers.load import tier_of

ENGINES_GROUP = "inference"


def subjects_of(inventory: Inventory) -> dict[str, Subject]:
    """Return what every host of the platform is to be, by name.

    Raises:
        RackwrightError: The site's input is wrong; `rackwright validate` says all of it.
    """
    site = site_of(inventory)
    common = inventory.site_variables()
    tier = tier_of(common, site.catalogue.services)
    limits = load_limits(common["preflight_limits"])
    intent = intent_from(common, site.catalogue.services)
    reasons = unsupported_systems()
    subjects = {}
    for name, host in site.hosts.items():
        variables = inventory.hosts[name].variables
        services = site.services_of(name)
        roles = {service.role for service in services.values()}
        subjects[name] = Subject(
            name=name,
            address=host.address,
            zone=host.zone,
            zones=site.zone_networks,
            services=services,
            replaced={chosen: _replaced(site, chosen) for chosen in services},
            inference=name in inventory.members(ENGINES_GROUP),
            limits=limits,
            tier=tier,
            **_described(variables),
            package_proxy=site.package_proxy,
            dns_servers=tuple(site.dns_servers),
            ntp_servers=tuple(site.ntp_servers),
            docker_pools=_docker_pools(variables),
            unsupported={role: reasons[role] for role in sorted(roles) if role in reasons},
            plan=_Planner(site, name, variables, intent),
        )
    return subjects


def _replaced(site: Site, name: str) -> dict[str, Service]:
    """Return the services that the variables which select this one select with other values."""
    chosen = site.catalogue.services[name]
    return {
        other: service
        for other, service in site.catalogue.services.items()
        if other != name and service.group == chosen.group and chosen.when.keys() & service.when.keys()
    }


class _Planner:
    """Works out what a host's services get of the running machine, as the plays will."""

    def __init__(self, site: Site, host: str, variables: Mapping[str, Any], intent: Intent) -> None:
        self._site = site
        self._host = host
        self._variables = variables
        self._intent = intent

    def __call__(self, memory_mb: int, cpus: int) -> object:
        machine = machine_from(self._variables, {"memory_mb": memory_mb, "cpus": cpus})
        options = options_of(self._variables)
        return size_host_or_explain(request_of(self._site, self._host, machine, self._intent, options))


def _described(variables: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the inventory or a scan says that the machine has, and which of them says it."""
    # What is not described is taken from the running host, which is never wrong about itself.
    machine = machine_from(variables, fallback={"host_memory_mb": 0, "host_cpus": 0})
    return {
        "memory_mb": machine.memory_mb or None,
        "memory_from": machine.source("memory_mb"),
        "cpus": machine.cpus or None,
        "cpus_from": machine.source("cpus"),
    }


def _docker_pools(variables: Mapping[str, object]) -> tuple[str, ...]:
    default = role_options().get("docker_address_pools", {}).get("default", [])
    pools = plain(variables["docker_address_pools"]) if "docker_address_pools" in variables else default
    return tuple(str(pool["base"]) for pool in pools)


def unsupported_systems(roles: Path | None = None) -> dict[str, dict[str, str]]:
    """Return for each role that some system lacks: system -> reason, empty where the system has it."""
    found = {}
    for path in sorted((roles or repository_root() / "roles").glob("*/meta/packages.yml")):
        declared = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        reasons = {
            str(key): " ".join(str(entry.get("unsupported", "")).split()) for key, entry in declared.items()
        }
        if any(reasons.values()):
            found[path.parts[-3]] = reasons
    return found


def accepted(inventory: Inventory) -> Sequence[str]:
    """Return the findings that the site goes on in spite of."""
    return [str(entry) for entry in plain(inventory.site_variables().get("preflight_accept") or [])]
