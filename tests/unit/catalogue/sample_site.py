"""A small site for the tests of the catalogue."""

from typing import Any

import yaml

from rackwright.site.paths import repository_root

GROUPS = {
    "platform": ["edge1", "app1", "data1", "ops1"],
    "outside": ["outside1"],
    "zone_dmz": ["edge1"],
    "zone_app": ["app1"],
    "zone_data": ["data1"],
    "zone_ops": ["ops1"],
    "edge": ["edge1"],
    "app": ["app1"],
    "inference": ["app1"],
    "container_hosts": ["app1"],
    "postgresql": ["data1"],
    "redis": ["data1"],
    "monitoring": ["ops1"],
}
ADDRESSES = {
    "edge1": "10.0.10.11",
    "app1": "10.0.20.11",
    "app2": "10.0.20.12",
    "data1": "10.0.30.11",
    "ops1": "10.0.40.11",
    "outside1": "192.0.2.11",
}


def variables(name: str) -> dict[str, Any]:
    """The project's own group_vars/all/<name>.yml."""
    path = repository_root() / f"group_vars/all/{name}.yml"
    return dict(yaml.safe_load(path.read_text(encoding="utf-8")))
