"""One host's part of the catalogue: what the plays hand to the roles (the variable `host_plan`)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields
from typing import Any

from rackwright.catalogue.backups import backup_plan
from rackwright.catalogue.choices import CHOICES
from rackwright.catalogue.edge import EDGE_NAMES, edge_routes
from rackwright.catalogue.egress import beside, confined, out, outbound_site, proxy_endpoint
from rackwright.catalogue.flows import ANY, MANAGEMENT, Flow, flows, source_cidrs
from rackwright.catalogue.health import ContainerHealth, HttpHealth, JobsHealth, UnitHealth
from rackwright.catalogue.inference import API, GROUP, VARIABLE, api_port
from rackwright.catalogue.logs import logs_plan
from rackwright.catalogue.model import Certificate, Service, SharedCertificate
from rackwright.catalogue.scrape import exporters, scrape_plan, watched
from rackwright.catalogue.site import LOG_STORE, Site, SiteHost
from rackwright.errors import RackwrightError
from rackwright.sizing.intent import Intent
from rackwright.sizing.machine import Machine
from rackwright.sizing.placement import request_of
from rackwright.sizing.remedies import size_host_or_explain

__all__ = ["COMMON_ROLES", "EDGE_NAMES", "Machine", "host_plan", "inference_of", "proxy_endpoint"]

# Needed on every host, whatever runs there.
COMMON_ROLES = ("base", "firewall", "tls", "hardening")

# What may stand between the shippers and the log store.
INTAKE = "logstash"
LOOPBACK = "127.0.0.1"

Plan = dict[str, Any]


def host_plan(
    site: Site,
    host: str,
    machine: Machine,
    intent: Intent | None = None,
    options: Mapping[str, Any] | None = None,
) -> Plan:
    """Return everything that the plays need to know of one host; docs/catalogue.md describes each key.

    Args:
        site: The site.
        host: One of its hosts of `platform`.
        machine: What the host has.
        intent: What the site's tier wants; None for a site without one.
        options: The host's variables, of which sizing reads those that an operator may have set.

    Raises:
        RackwrightError: A host that is not of the platform, a flow that the policy forbids, services that do
            not fit on the machine.
    """
    if host not in site.hosts:
        raise RackwrightError(
            f"host {host} is not in the group `platform`", hint="only hosts of a zone get a plan"
        )
    here = site.hosts[host]
    services = site.services_of(host)
    all_flows = flows(site)
    sizing = size_host_or_explain(request_of(site, host, machine, intent, options))
    health = [entry for name, service in services.items() for entry in _all_health(site, here, name, service)]
    return {
        "site": site.name,
        "domain": site.domain,
        "host": host,
        "zone": here.zone,
        "address": here.address,
        "services": list(services),
        "roles": roles_of(services.values()),
        "packages": packages_of(services.values()),
        "addresses": {name: other.address for name, other in site.hosts.items()},
        "zones": {name: other.zone for name, other in site.hosts.items()},
        "listen": {
            name: {
                port_name: {"address": LOOPBACK if port.loopback else here.address, "port": port.port}
                for port_name, port in service.ports.items()
            }
            for name, service in services.items()
        },
        "endpoints": _endpoints(site),
        "edge": edge_routes(site),
        "engine": site.served_by(host).engine if host in site.groups.get(GROUP, ()) else None,
        "inference": inference_of(site),
        **{variable: _chosen(site, variable) for variable in CHOICES},
        "log_intake": _log_intake(site),
        "callers": _callers(site, here, services, all_flows),
        "firewall": {
            "inbound": _inbound(site, here, services, all_flows),
            "outbound": [*_outbound_flows(site, here, all_flows), *outbound_site(site, host)],
            "beside": beside(site, host),
            "confined": confined(site, host),
            "management_sources": list(site.management_sources),
        },
        "certificates": [
            {
                "service": name,
                "owner": service.certificate.owner,
                "group": service.certificate.group,
                "addresses": [here.address],
                "names": _certificate_names(site, here, name, service),
                **({"client": True} if service.certificate.client else {}),
            }
            for name, service in services.items()
            if isinstance(service.certificate, Certificate)
        ],
        "retention": dict(intent.retention) if intent is not None else {},
        "budget": sizing.budget_dict(),
        "settings": sizing.settings_dict(),
        "backup": backup_plan(site, host),
        "logs": logs_plan(site, host, intent),
        "exporters": exporters(services, here.address),
        "scrape": scrape_plan(site, host, (intent or Intent()).tier),
        "health": health,
        "watched": watched(health),
    }


def roles_of(services: Iterable[Service]) -> list[str]:
    """Return the roles of a host that runs these services."""
    return list(dict.fromkeys((*COMMON_ROLES, *(service.role for service in services))))


def packages_of(services: Iterable[Service]) -> list[str]:
    """Return the packages that services name beside those of their roles."""
    return sorted({package for service in services for package in service.packages})


def _endpoints(site: Site) -> Plan:
    return {
        name: {
            port_name: [
                {"host": host.name, "address": host.address, "port": port.port}
                for host in site.hosts_of(name)
            ]
            for port_name, port in service.ports.items()
        }
        for name, service in site.catalogue.services.items()
    }


def inference_of(site: Site) -> list[Plan]:
    """Return where models are served by the OpenAI API: an entry for each instance of every engine."""
    return [
        {
            "host": host.name,
            "engine": name,
            "address": host.address,
            "port": port.port,
            "base_url": f"{'https' if port.tls else 'http'}://{_in_url(host.address)}:{port.port}/v1",
            "models": list(models),
            "embeddings": [model for model in models if model in site.served_by(host.name).embeddings],
        }
        for name, service in site.catalogue.services.items()
        if VARIABLE in service.when
        for host in site.hosts_of(name)
        for number, models in enumerate(site.served_by(host.name).models)
        if (port := service.ports.get(api_port(number))) is not None
    ]


def _chosen(site: Site, variable: str) -> Plan:
    """Return what the site has chosen, and where it is called: nowhere when it is no service of its own."""
    kind = site.choices.get(variable, CHOICES[variable].without[0])
    scheme = CHOICES[variable].schemes.get(kind, "")
    return {
        "kind": kind,
        "urls": [
            f"{scheme or ('https' if port.tls else 'http')}://{_in_url(host.address)}:{port.port}"
            for name, service in site.catalogue.services.items()
            if service.when.get(variable) == kind
            for host in site.hosts_of(name)
            if (port := service.ports.get(API)) is not None
        ],
    }


def _log_intake(site: Site) -> Plan:
    """Return where shippers bring their lines: to Logstash where the site has one, else to the store."""
    if INTAKE not in site.catalogue.services or not (hosts := site.hosts_of(INTAKE)):
        return _chosen(site, LOG_STORE)
    port = site.catalogue.services[INTAKE].ports["lines"].port
    return {"kind": INTAKE, "urls": [f"https://{_in_url(host.address)}:{port}" for host in hosts]}


def _in_url(address: str) -> str:
    return f"[{address}]" if ":" in address else address


def _callers(
    site: Site, here: SiteHost, services: dict[str, Service], all_flows: Sequence[Flow]
) -> dict[str, dict[str, list[Plan]]]:
    found: dict[str, dict[str, list[Plan]]] = {
        name: {port_name: [] for port_name in service.ports} for name, service in services.items()
    }
    for flow in all_flows:
        if flow.dest == here.name:
            found[flow.service][flow.port_name] += [
                {"host": flow.source, "cidr": cidr} for cidr in source_cidrs(site, flow)
            ]
    return found


def _inbound(
    site: Site, here: SiteHost, services: dict[str, Service], all_flows: Sequence[Flow]
) -> list[Plan]:
    sources: dict[tuple[str, str], list[str]] = defaultdict(list)
    for flow in all_flows:
        # What a host sends to itself goes over its loopback, which the firewall leaves alone.
        if flow.dest == here.name and flow.source != here.name:
            sources[flow.service, flow.port_name] += source_cidrs(site, flow)
    return [
        {
            "service": name,
            "port_name": port_name,
            "protocol": services[name].ports[port_name].protocol,
            "port": services[name].ports[port_name].port,
            "sources": list(dict.fromkeys(cidrs)),
            "container_port": services[name].ports[port_name].container_port,
        }
        for (name, port_name), cidrs in sources.items()
    ]


def _outbound_flows(site: Site, here: SiteHost, all_flows: Sequence[Flow]) -> list[Plan]:
    destinations: dict[tuple[str, str, str, int], list[str]] = defaultdict(list)
    for flow in all_flows:
        if flow.source == here.name and flow.source not in {ANY, MANAGEMENT} and flow.dest != here.name:
            key = (flow.service, flow.port_name, flow.protocol, flow.port)
            destinations[key].append(site.hosts[flow.dest].cidr)
    return [out(*key, list(dict.fromkeys(cidrs))) for key, cidrs in destinations.items()]


def _certificate_names(site: Site, here: SiteHost, name: str, service: Service) -> list[str]:
    names = [here.name, f"{here.name}.{site.domain}"]
    if isinstance(service.certificate, Certificate) and service.certificate.names == "edge":
        return [*names, *(f"{label}.{site.domain}" for label in EDGE_NAMES)]
    # An underscore is no letter of a host name (RFC 952), and TLS clients refuse it.
    return [*names, f"{name.replace('_', '-')}.{site.domain}"]


def _all_health(site: Site, here: SiteHost, name: str, service: Service) -> Iterator[Plan]:
    """Yield what is asked of a service; of an engine each instance, and of each that it makes a token."""
    entry = _health(site, here, name, service)
    if VARIABLE not in service.when:
        yield entry
        return
    served = site.served_by(here.name)
    for number, models in enumerate(served.models):
        if (port := service.ports.get(api_port(number))) is None:
            continue
        own = dict(entry) if number == 0 else {**entry, "port": port.port}
        if number and service.container is not None:
            own["container"] = f"{service.container}_{number}"
        # The first that answers questions; an instance of embeddings makes one of those.
        asked = next((model for model in models if model not in served.embeddings), next(iter(models), None))
        if asked is not None:
            own |= {"model": asked, "embedding": asked in served.embeddings}
        yield own


def _health(site: Site, here: SiteHost, name: str, service: Service) -> Plan:
    health = service.health
    entry: Plan = {"service": name, "kind": health.kind, "address": here.address}
    if isinstance(health, UnitHealth):
        return {**entry, "unit": health.unit}
    if isinstance(health, JobsHealth):
        return {**entry, "actions": list(health.actions), "unit": service.unit}
    if isinstance(health, ContainerHealth):
        return {**entry, "container": service.container}
    entry["port"] = service.ports[health.port].port
    if isinstance(health, HttpHealth):
        rest = {item.name: getattr(health, item.name) for item in fields(health)}
        entry |= {key: rest[key] for key in ("path", "status", "contains") if rest[key] is not None}
        if health.host is not None:
            entry["host"] = f"{health.host}.{site.domain}"
        if (holder := _shown_by(site, name)) and health.kind == "https":
            entry["client_certificate"] = holder
    if service.unit is not None:
        entry["unit"] = service.unit
    if service.container is not None:
        entry["container"] = service.container
    return entry


def _shown_by(site: Site, name: str) -> str | None:
    """Return the service by whose certificate this host may ask as callers do; None when anybody may."""
    certificate = site.catalogue.services[name].certificate
    if isinstance(certificate, SharedCertificate):
        return _shown_by(site, certificate.of) and certificate.of
    return name if certificate is not None and certificate.client else None
