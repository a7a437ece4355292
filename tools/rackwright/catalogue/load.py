"""Read the catalogue: shape by pydantic, then the rules that span several keys. All findings at once."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TypeVar

from pydantic import TypeAdapter, ValidationError

from rackwright.catalogue.choices import CHOICES
from rackwright.catalogue.edge import called_by_edge
from rackwright.catalogue.findings import Finding, FindingsError, short
from rackwright.catalogue.health import ContainerHealth, HttpHealth, JobsHealth, UnitHealth
from rackwright.catalogue.inference import API, VARIABLE
from rackwright.catalogue.model import (
    Caller,
    Certificate,
    Exported,
    Metrics,
    Port,
    QdrantState,
    Service,
    SharedCertificate,
    ZonePolicy,
)

T = TypeVar("T")

_SERVICES = TypeAdapter(dict[str, Service])
# Where pydantic's own words are not an operator's.
_RULES = {
    "missing": "it must be set",
    "int_type": "it must be a whole number",
    "bool_type": "it must be true or false",
    "string_type": "it must be text",
    "list_type": "it must be a list",
    "tuple_type": "it must be a list",
    "extra_forbidden": "nothing reads a key of this name",
    "unexpected_keyword_argument": "nothing reads a key of this name",
}
_POLICY = TypeAdapter(dict[str, ZonePolicy])


@dataclass(frozen=True)
class Catalogue:
    """All services by name in the catalogue's order, and the policy of each zone."""

    services: Mapping[str, Service]
    zone_policy: Mapping[str, ZonePolicy]

    @cached_property
    def told_of_by(self) -> Mapping[str, tuple[str, ...]]:
        """Exporter -> the services that it tells of."""
        found: dict[str, list[str]] = {}
        for name, service in self.services.items():
            if isinstance(service.metrics, Exported):
                found.setdefault(service.metrics.exporter, []).append(name)
        return {name: tuple(services) for name, services in found.items()}

    def selectable(self, variable: str) -> list[str]:
        """Return the values of a variable that select a service."""
        return sorted(
            {service.when[variable] for service in self.services.values() if variable in service.when}
        )


def load_catalogue(services: object, zone_policy: object) -> Catalogue:
    """Return the catalogue that the variables `services` and `zone_policy` hold.

    Raises:
        FindingsError: Anything in them is wrong; holds every finding.
    """
    findings: list[Finding] = []
    parsed = {
        name: replace(service, ports=called_by_edge(service, _all_ports(service.ports)))
        for name, service in (parse(_SERVICES, "services", services, findings) or {}).items()
    }
    policy = parse(_POLICY, "zone_policy", zone_policy, findings) or {}
    if not findings:
        findings += _service_findings(parsed)
        findings += _policy_findings(policy)
    if findings:
        raise FindingsError(findings)
    return Catalogue(parsed, policy)


def _all_ports(ports: Mapping[str, Port]) -> dict[str, Port]:
    """Add the ports of further instances."""
    return {
        f"{name}_{number}" if number else name: replace(port, port=port.port + number, further=0)
        for name, port in ports.items()
        for number in range(port.further + 1)
    }


def parse(adapter: TypeAdapter[T], variable: str, value: object, findings: list[Finding]) -> T | None:
    """Validate a value strictly; append what is wrong to `findings` and return None then.

    The value goes through JSON: pydantic's strict mode then takes a mapping for a dataclass and a list for
    a tuple, as YAML means them, and still takes no text for a number.
    """
    try:
        return adapter.validate_json(json.dumps(value, default=str), strict=True)
    except ValidationError as error:
        for item in error.errors(include_url=False):
            # Tags of our unions (~data) and pydantic's own ([key]) are no part of the path in the file.
            path = [str(step) for step in item["loc"] if not str(step).startswith(("~", "["))]
            path = _without_kind_tag(path, value)
            findings.append(
                Finding(
                    variable=".".join([variable, *path]),
                    value=_shown(item["type"], item["input"]),
                    rule=_RULES.get(item["type"], item["msg"].removeprefix("Value error, ")),
                    hint=_hint(item["type"], path),
                )
            )
        return None


def _shown(kind: str, given: object) -> str:
    if kind == "missing":
        return "(absent)"
    # With its quotes: that "2" is not 2 is what the finding is about.
    return short(repr(given) if kind in {"int_type", "bool_type"} else given)


def _without_kind_tag(path: list[str], value: object) -> list[str]:
    """Drop the steps that pydantic adds for a union by `kind`: they are not in the data."""
    kept: list[str] = []
    here = value
    for position, step in enumerate(path):
        last = position == len(path) - 1
        if isinstance(here, Mapping):
            if step not in here and not last and here.get("kind") == step:
                continue
            here = here.get(step)
        elif isinstance(here, list) and step.isdigit() and int(step) < len(here):
            here = here[int(step)]
        kept.append(step)
    return kept


def _hint(kind: str, path: list[str]) -> str:
    match kind:
        case "missing":
            return f"add `{path[-1]}`" if path else "define it"
        case "extra_forbidden" | "unexpected_keyword_argument":
            return (
                f"`{path[-1]}` is no key here: correct its name or remove it (docs/catalogue.md has all keys)"
            )
        case "int_type" | "bool_type":
            return "write it without quotes"
        case "string_type":
            return "write it in quotes"
        case _:
            return "docs/catalogue.md says what belongs here"


def _service_findings(services: Mapping[str, Service]) -> Iterator[Finding]:
    for name, service in services.items():
        at = f"services.{name}"
        if (service.unit is None) == (service.container is None):
            yield Finding(
                f"{at}.unit",
                short(service.unit),
                "a service has a systemd unit or a container, one of them",
                "write `unit: <name>.service` or `container: <name>`",
            )
        for key, wanted in _named_ports(service):
            if wanted not in service.ports:
                yield Finding(
                    f"{at}.{key}.port",
                    wanted,
                    "it must name one of the service's ports",
                    _ports_hint(service),
                )
        yield from _reference_findings(at, service, services)
        yield from _selection_findings(at, service)
        yield from _port_findings(at, service, services)


def _reference_findings(at: str, service: Service, services: Mapping[str, Service]) -> Iterator[Finding]:
    """Find an exporter, or a certificate's holder, that is none."""
    if isinstance(service.metrics, Exported):
        exporter = services.get(service.metrics.exporter)
        if exporter is None or not isinstance(exporter.metrics, Metrics):
            yield Finding(
                f"{at}.metrics.exporter",
                service.metrics.exporter,
                "it must name a service of the catalogue that is scraped itself",
                "the services that are scraped: "
                + ", ".join(name for name, other in services.items() if isinstance(other.metrics, Metrics)),
            )
    if isinstance(service.certificate, SharedCertificate):
        holder = services.get(service.certificate.of)
        if holder is None or not isinstance(holder.certificate, Certificate):
            yield Finding(
                f"{at}.certificate.of",
                service.certificate.of,
                "it must name a service of the catalogue with a certificate of its own",
                "write `{owner: …, group: …}` for one of its own",
            )


def _selection_findings(at: str, service: Service) -> Iterator[Finding]:
    """What is selected can take another's place only when both are called in the same way."""
    variables = {VARIABLE: None, **CHOICES}
    for variable in service.when:
        if variable not in variables:
            yield Finding(
                f"{at}.when",
                variable,
                "no variable of this name selects services",
                f"the variables: {', '.join(variables)}",
            )
        elif API not in service.ports and (variable not in CHOICES or CHOICES[variable].called):
            yield Finding(
                f"{at}.ports",
                ", ".join(service.ports) or "none",
                f"what {variable} selects is called on its port `{API}`",
                f"name the port that its callers use `{API}`",
            )


def _named_ports(service: Service) -> Iterator[tuple[str, str]]:
    if not isinstance(service.health, (UnitHealth, ContainerHealth, JobsHealth)):
        yield "health", service.health.port
    if isinstance(service.metrics, Metrics):
        yield "metrics", service.metrics.port
    if isinstance(service.state, QdrantState):
        yield "state", service.state.port
    for number, route in enumerate(service.edge):
        yield f"edge.{number}", route.port


def _ports_hint(service: Service) -> str:
    return f"its ports: {', '.join(service.ports) or 'none'}"


def _port_findings(at: str, service: Service, services: Mapping[str, Service]) -> Iterator[Finding]:
    seen: dict[tuple[int, str], str] = {}
    for port_name, port in service.ports.items():
        here = f"{at}.ports.{port_name}"
        first = seen.setdefault((port.port, port.protocol), port_name)
        if first != port_name:
            yield Finding(
                f"{here}.port", str(port.port), f"`{first}` has this port already", "give it another number"
            )
        if port.tls and service.certificate is None:
            yield Finding(
                f"{here}.tls",
                "true",
                "a port with TLS needs a certificate",
                "add `certificate: {owner: …, group: …}` to the service",
            )
        if port.container_port is not None and service.container is None:
            yield Finding(
                f"{here}.container_port",
                str(port.container_port),
                "only a container has a container port",
                "remove it, or write `container: <name>`",
            )
        for text in port.callers:
            caller = Caller.parse(text)
            if caller.kind == "service" and caller.name not in services:
                yield Finding(
                    f"{here}.callers",
                    text,
                    "it must name a service of the catalogue",
                    f"the services: {', '.join(services)}",
                )
    health = service.health
    if isinstance(health, ContainerHealth) and service.container is None:
        yield Finding(f"{at}.health.kind", health.kind, "the service is no container", "write another kind")
    if isinstance(health, HttpHealth) and health.port in service.ports:
        tls = service.ports[health.port].tls
        if tls != (health.kind == "https"):
            yield Finding(
                f"{at}.health.kind",
                health.kind,
                f"port {health.port} has tls: {str(tls).lower()}",
                f"write `kind: {'https' if tls else 'http'}`",
            )


def _policy_findings(policy: Mapping[str, ZonePolicy]) -> Iterator[Finding]:
    for name, zone in policy.items():
        for other in zone.may_call:
            if other not in policy:
                yield Finding(
                    f"zone_policy.{name}.may_call",
                    other,
                    "it must name a zone of zone_policy",
                    f"the zones: {', '.join(policy)}",
                )
