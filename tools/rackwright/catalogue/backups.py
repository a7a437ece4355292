"""What is kept of a host, and what a backup host keeps: the part `backup` of the variable `host_plan`."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from rackwright.backup.kinds import KINDS
from rackwright.catalogue.model import (
    MariadbState,
    MongodbState,
    QdrantState,
    RedisState,
    Service,
    VectorsState,
)
from rackwright.catalogue.nothing import Nothing
from rackwright.catalogue.site import BACKED_UP, BACKUP, Site


def backup_plan(site: Site, host: str) -> dict[str, Any]:
    """Return `stores` of this host, `repositories` of the site, and what is `kept` where it is one.

    On a site without a backup host all three are empty.
    """
    keepers = site.group_hosts(BACKUP)
    backed_up = site.groups.get(BACKED_UP, ())
    return {
        "stores": {
            name: _store(site, host, service)
            for name, service in site.services_of(host).items()
            if host in backed_up and not isinstance(service.state, Nothing)
        },
        "repositories": [{"host": keeper.name, "address": keeper.address} for keeper in keepers],
        "kept": [
            {
                "name": f"{other}/{name}",
                "host": other,
                "address": site.hosts[other].address,
                "service": name,
                "kind": service.state.kind,
                "due_hours": KINDS[service.state.kind].due_hours,
            }
            for other in backed_up
            for name, service in site.services_of(other).items()
            if not isinstance(service.state, Nothing)
        ]
        if host in {keeper.name for keeper in keepers}
        else [],
    }


def _store(site: Site, host: str, service: Service) -> dict[str, Any]:
    state = service.state
    store: dict[str, Any] = asdict(state)
    if isinstance(state, MariadbState | RedisState):
        store["unit"] = service.unit
    if isinstance(state, MongodbState):
        # The container knows itself by the name of its host, which its certificate has.
        store |= {"container": service.container, "server": host}
    if isinstance(state, QdrantState | VectorsState):
        port = service.ports[state.port]
        address = site.hosts[host].address
        store["url"] = (
            f"{'https' if port.tls else 'http'}://{f'[{address}]' if ':' in address else address}:{port.port}"
        )
        store |= {
            "api_key_file": "/etc/rackwright/backup/vector_store.key",
            "ca": "/etc/rackwright/tls/ca.pem",
        }
    return store
