"""The catalogue in short, a line per service, for people."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from rackwright.catalogue.health import ContainerHealth, HttpHealth, JobsHealth, UnitHealth
from rackwright.catalogue.model import (
    FilesState,
    MariadbState,
    Metrics,
    MongodbState,
    PostgresqlState,
    QdrantState,
    RedisState,
    Service,
)
from rackwright.catalogue.site import Site


@dataclass(frozen=True)
class ServiceOverview:
    """One service in words; `-` stands for what it explicitly has not."""

    name: str
    title: str
    group: str
    hosts: tuple[str, ...]
    ports: tuple[str, ...]
    health: str
    metrics: str
    state: str

    def as_dict(self) -> dict[str, object]:
        """Return the entry for JSON."""
        return asdict(self)


def overview(site: Site) -> list[ServiceOverview]:
    """Return every service of the catalogue, also those that no host of the site runs."""
    return [
        ServiceOverview(
            name=name,
            title=service.title,
            group=service.group,
            hosts=tuple(host.name for host in site.hosts_of(name)),
            ports=tuple(
                f"{port_name} {port.port}/{port.protocol}{' TLS' if port.tls else ''}"
                f" from {', '.join(port.callers) or 'nobody'}"
                for port_name, port in service.ports.items()
            ),
            health=_health(service),
            metrics=_metrics(service),
            state=_state(service),
        )
        for name, service in site.catalogue.services.items()
    ]


def _health(service: Service) -> str:
    health = service.health
    if isinstance(health, UnitHealth):
        return f"unit {health.unit}"
    if isinstance(health, ContainerHealth):
        return f"container {service.container}"
    if isinstance(health, JobsHealth):
        return f"jobs {', '.join(health.actions)}"
    if isinstance(health, HttpHealth):
        return f"{health.kind} {health.port} {health.path}"
    return f"{health.kind} {health.port}"


def _metrics(service: Service) -> str:
    metrics = service.metrics
    return f"{metrics.scheme} {metrics.port} {metrics.path}" if isinstance(metrics, Metrics) else "-"


def _state(service: Service) -> str:
    match service.state:
        case PostgresqlState(databases=databases):
            return f"databases {', '.join(databases)}"
        case MariadbState(directory=directory) | RedisState(directory=directory):
            return directory
        case FilesState(paths=paths):
            return ", ".join(paths)
        case MongodbState():
            return "all databases"
        case QdrantState():
            return "collections"
        case _:
            return "-"
