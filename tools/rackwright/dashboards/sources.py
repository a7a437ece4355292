"""What Grafana may ask, from the services that a site has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rackwright.errors import RackwrightError

Endpoints = Mapping[str, Mapping[str, Sequence[Mapping[str, Any]]]]


@dataclass(frozen=True)
class Kind:
    """A datasource that a service of the catalogue is.

    Attributes:
        name: For people.
        port: Of the service, by its name in the catalogue.
        settings: Further keys of Grafana's `jsonData`.
        user: Account by which it is asked; empty where Grafana's own certificate is what it lets in.
    """

    name: str
    port: str
    settings: Mapping[str, object] = field(default_factory=dict)
    user: str = ""


# By service, the one that answers first is the default.
KINDS: Mapping[str, Kind] = {
    "prometheus": Kind("Prometheus", "web", {"httpMethod": "POST", "prometheusType": "Prometheus"}),
    "alertmanager": Kind("Alertmanager", "api", {"implementation": "prometheus"}),
    # Fields and days of the indices are the log store's (docs/logs.md).
    "elasticsearch": Kind(
        "Logs",
        "api",
        {
            "index": "[ai-platform-]YYYY.MM.DD",
            "interval": "Daily",
            "timeField": "@timestamp",
            "logMessageField": "message",
            "logLevelField": "log.level",
        },
        "reader",
    ),
}


def sources(
    endpoints: Endpoints,
    domain: str,
    further: Sequence[Mapping[str, Any]] = (),
    passwords: Mapping[str, str] | None = None,
    beside: Mapping[str, str] | None = None,
    scrape_seconds: int = 15,
) -> list[dict[str, Any]]:
    """Return the datasources of a site, as the role takes them; of several hosts the first is asked.

    Args:
        endpoints: `host_plan.endpoints`.
        domain: Of the site; certificates of the catalogue carry <service>.<domain>.
        further: Datasources of the site's own.
        passwords: Of the accounts by which services are asked, by service.
        beside: URLs of services whose containers share a network with Grafana's, by service.
        scrape_seconds: Between two values of a metric.

    Raises:
        RackwrightError: There is nothing to show.
    """
    found = []
    for service, kind in KINDS.items():
        places = endpoints.get(service, {}).get(kind.port, ())
        if places:
            address, port = places[0]["address"], places[0]["port"]
            host = f"[{address}]" if ":" in address else address
            found.append(
                {
                    "name": kind.name,
                    "uid": f"rackwright-{service}",
                    "type": service,
                    "url": (beside or {}).get(service, f"https://{host}:{port}"),
                    "server_name": f"{service}.{domain}",
                    "certificate": not kind.user,
                    **({"user": kind.user, "password": (passwords or {})[service]} if kind.user else {}),
                    "settings": dict(kind.settings)
                    | ({"timeInterval": f"{scrape_seconds}s"} if service == "prometheus" else {}),
                }
            )
    if not any(source["type"] == "prometheus" for source in found):
        raise RackwrightError(
            "grafana has nothing to show: no host runs prometheus",
            hint="put a host of the zone ops into the group `monitoring`, or take the group `grafana` away",
        )
    return [*found, *map(dict, further)]
