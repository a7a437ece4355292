"""A small inventory's variables, as the loader hands them over."""

from __future__ import annotations

from pathlib import Path
from typing import Any

GROUPS = {"outside": ["outside1"], "container_hosts": ["app1"], "inference": ["app1"]}


def variables(directory: Path, **changes: object) -> dict[str, dict[str, Any]]:
    site: dict[str, Any] = {
        "lab_name": "sample",
        "lab_directory": str(directory / ".lab" / "sample"),
        "lab": {"outside_cidr": "10.9.50.0/24", "denied_client": "203.0.113.10", "gateway_octet": 254},
        "zones": {"dmz": {"cidr": "10.9.10.0/24"}, "app": {"cidr": "10.9.20.0/24"}},
        **changes,
    }
    addresses = {"edge1": "10.9.10.11", "app1": "10.9.20.11", "outside1": "10.9.50.11"}
    return {name: {**site, "ansible_host": address} for name, address in addresses.items()}
