"""What is kept of a host, and what a backup host keeps: the part `backup` of the variable `host_plan`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from rackwright.backup.agent.kinds import KINDS
from rackwright.catalogue.model import Service
from rackwright.catalogue.nothing import Nothing
from rackwright.catalogue.site import BACKED_UP, BACKUP, Site

# On hosts that keep a store whose API is asked.
API_KEY = "/etc/rackwright/backup/vector_store.key"


def backup_plan(site: Site, host: str) -> dict[str, Any]:
    """Return `stores` of this host, `repositories` of the site, and what is `kept` where it is one.

    Of what is kept the proofs may need `packages`. On a site without a backup host all four are empty.
    """
    keepers = site.group_hosts(BACKUP)
    backed_up = site.groups.get(BACKED_UP, ())
    kept = _kept(site, backed_up) if host in {keeper.name for keeper in keepers} else []
    return {
        "stores": {
            name: _store(site, host, service)
            for name, service in site.services_of(host).items()
            if host in backed_up and not isinstance(service.state, Nothing)
        },
        "repositories": [{"host": keeper.name, "address": keeper.address} for keeper in keepers],
        "kept": kept,
        "packages": sorted({package for store in kept for package in KINDS[store["kind"]].packages}),
    }


def _kept(site: Site, backed_up: Sequence[str]) -> list[dict[str, str]]:
    return [
        {
            "name": f"{host}/{name}",
            "host": host,
            "address": site.hosts[host].address,
            "service": name,
            "kind": service.state.kind,
        }
        for host in backed_up
        for name, service in site.services_of(host).items()
        if not isinstance(service.state, Nothing)
    ]


def _store(site: Site, host: str, service: Service) -> dict[str, Any]:
    store: dict[str, Any] = asdict(service.state)
    match KINDS[store["kind"]].told:
        case "unit":
            store["unit"] = service.unit
        case "container":
            # It knows itself by the name of its host, which its certificate has.
            store |= {"container": service.container, "server": host}
        case "api":
            port = service.ports[store["port"]]
            address = site.hosts[host].address
            store["url"] = (
                f"{'https' if port.tls else 'http'}://"
                f"{f'[{address}]' if ':' in address else address}:{port.port}"
            )
            store |= {"api_key_file": API_KEY, "ca": "/etc/rackwright/tls/ca.pem"}
    return store
