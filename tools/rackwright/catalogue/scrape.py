"""What Prometheus scrapes and probes: the part `scrape` of `host_plan`, on hosts that watch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from rackwright.catalogue.flows import Flow, flows
from rackwright.catalogue.health import HttpHealth
from rackwright.catalogue.inference import API, VARIABLE, api_port
from rackwright.catalogue.model import Metrics, Port, Service
from rackwright.catalogue.site import MONITORING, Site, SiteHost

Plan = dict[str, Any]
PROBER = "blackbox_exporter"
PROBES = "probes"
ALERTS = "alertmanager"
# A host that watches has it open anyway: its metrics say whether it is there. And what shippers have open:
# each says whether it takes lines, and who shows no certificate is an error in its log.
_NO_PROBE = frozenset({"sshd", "log_server"})
# Their servers begin in clear, and go over to TLS after a word of their own. By the kind of their health.
_CLEAR_FIRST = frozenset({"postgresql", "mariadb"})


def scrape_plan(site: Site, host: str, tier: str) -> Plan:
    """Return `jobs` and `alertmanagers` of a host that watches; both empty on every other.

    A job is {name, bearer, groups}: the secret that its targets ask for, and groups as Prometheus' file_sd
    takes them, whose labels say scheme, path and parameters of the request as well.

    Args:
        site: The site.
        host: One of its hosts.
        tier: The name of the site's tier, for the label.
    """
    if host not in {keeper.name for keeper in site.group_hosts(MONITORING)}:
        return {"jobs": [], "alertmanagers": [], "services": []}
    common = {"site": site.name, "tier": tier}
    jobs = [_job(site, name, service, common) for name, service in site.catalogue.services.items()]
    probes = [_probe(site, flow, common) for flow in flows(site) if _is_probed(site, flow)]
    alerts = site.catalogue.services.get(ALERTS)
    return {
        "jobs": [
            *(job for job in jobs if job["groups"]),
            *([{"name": PROBES, "bearer": None, "groups": probes}] if probes else []),
        ],
        "alertmanagers": [_at(keeper.address, alerts.ports["api"].port) for keeper in site.hosts_of(ALERTS)]
        if alerts is not None
        else [],
        "services": [name for name in site.catalogue.services if site.hosts_of(name)],
    }


def exporters(services: Mapping[str, Service], address: str) -> dict[str, Plan]:
    """Return where each exporter of the role of that name listens on a host."""
    return {
        name: {"address": address, "port": service.ports["metrics"].port}
        for name, service in services.items()
        if service.role == "exporters" and "metrics" in service.ports
    }


def watched(health: Iterable[Mapping[str, Any]]) -> list[Plan]:
    """Return what must run on a host: of each entry of its health the service, its unit or its container."""
    kept = ("service", "unit", "container")
    return [{key: entry[key] for key in kept if key in entry} for entry in health]


def _job(site: Site, name: str, service: Service, common: Plan) -> Plan:
    metrics = service.metrics
    groups = []
    if isinstance(metrics, Metrics):
        about = site.catalogue.told_of_by.get(name, ())
        for host in site.hosts_of(name):
            told = [other for other in about if other in site.services_of(host.name)]
            groups += [
                {
                    "targets": [_at(host.address, port.port)],
                    "labels": {
                        **common,
                        "zone": host.zone,
                        "host": host.name,
                        # An exporter of one service speaks for that service.
                        "service": told[0] if len(told) == 1 else name,
                        "instance": _at(host.name, port.port),
                        "__scheme__": metrics.scheme,
                        "__metrics_path__": metrics.path,
                    },
                }
                for port in _ports(site, host, service, metrics)
            ]
    bearer = metrics.bearer if isinstance(metrics, Metrics) else None
    return {"name": name, "bearer": bearer, "groups": groups}


def _ports(site: Site, host: SiteHost, service: Service, metrics: Metrics) -> Iterator[Port]:
    """Yield the port of the metrics; of an engine that of each instance."""
    if VARIABLE not in service.when or metrics.port != API:
        yield service.ports[metrics.port]
        return
    for number, _ in enumerate(site.served_by(host.name).models):
        if (port := service.ports.get(api_port(number))) is not None:
            yield port


def _is_probed(site: Site, flow: Flow) -> bool:
    """Tell whether a prober tries a flow: what a host opens to a service of another, but for its metrics."""
    service = site.catalogue.services[flow.service]
    metrics = service.metrics
    return (
        flow.protocol == "tcp"
        and flow.source in site.hosts
        and flow.source != flow.dest
        and flow.service not in _NO_PROBE
        and PROBER in site.services_of(flow.source)
        and not (isinstance(metrics, Metrics) and metrics.port == flow.port_name and _only_metrics(service))
    )


def _only_metrics(service: Service) -> bool:
    return len(service.ports) == 1 and all(
        caller == f"group:{MONITORING}" for port in service.ports.values() for caller in port.callers
    )


def _probe(site: Site, flow: Flow, common: Plan) -> Plan:
    source, dest = site.hosts[flow.source], site.hosts[flow.dest]
    service = site.catalogue.services[flow.service]
    prober = site.catalogue.services[PROBER].ports["metrics"]
    at = _at(dest.address, flow.port)
    module, target, more = "tcp", at, {}
    health = service.health
    if isinstance(health, HttpHealth) and health.port == flow.port_name:
        module, target = f"http_{health.status}", f"{health.kind}://{at}{health.path}"
        if health.host:
            module = f"edge_{health.status}"
            more = {"__param_hostname": f"{health.host}.{site.domain}"}
    elif service.ports[flow.port_name].tls and service.health.kind not in _CLEAR_FIRST:
        module = "tls"
    return {
        "targets": [_at(source.address, prober.port)],
        "labels": {
            **common,
            "zone": dest.zone,
            "host": dest.name,
            "service": flow.service,
            "from": source.name,
            "from_zone": source.zone,
            "instance": _at(dest.name, flow.port),
            "__scheme__": "https",
            "__metrics_path__": "/probe",
            "__param_module": module,
            "__param_target": target,
            **more,
        },
    }


def _at(address: str, port: int) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
