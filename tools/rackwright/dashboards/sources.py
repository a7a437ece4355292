"""What Grafana may ask, from the services that a site has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rackwright.errors import RackwrightError

Endpoints = Mapping[str, Mapping[str, Sequence[Mapping[str, Any]]]]


@dataclass(frozen=True)
class Kind:
    """A datasource that a service of the catalogue is: its port, and further settings."""

    name: str
    port: str
    settings: Mapping[str, object] = field(default_factory=dict)


# By service, the one that answers first is the default.
KINDS: Mapping[str, Kind] = {
    "prometheus": Kind("Prometheus", "web", {"httpMethod": "POST", "prometheusType": "Prometheus"}),
    "alertmanager": Kind("Alertmanager", "api", {"implementation": "prometheus"}),
}


def sources(
    endpoints: Endpoints, domain: str, further: Sequence[Mapping[str, Any]] = (), scrape_seconds: int = 15
) -> list[dict[str, Any]]:
    """Return the datasources of a site, as the role takes them; of several hosts the first is asked.

    Args:
        endpoints: `host_plan.endpoints`.
        domain: Of the site; certificates of the catalogue carry <service>.<domain>.
        further: Datasources of the site's own, and the stores of logs.
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
                    "url": f"https://{host}:{port}",
                    "server_name": f"{service}.{domain}",
                    "certificate": True,
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
