"""A lab described as the answers for `rackwright init`: a site on its machines, made as any other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from rackwright.catalogue.site import ZONE_PREFIX
from rackwright.errors import RackwrightError
from rackwright.lab.model import OUTSIDE, Lab
from rackwright.site.inventory import Inventory
from rackwright.site.plain import plain

# Groups of the inventory that say no service.
_NO_SERVICE = frozenset({"all", "ungrouped", "platform", OUTSIDE})
# What only a lab, or a site with a model server, sets; handed on as it is.
_FURTHER = (
    "lab_name",
    "lab_directory",
    "lab",
    "llama_cpp_image",
    "llama_cpp_model",
    "llama_cpp_context",
    "llama_cpp_parallel",
    "app_answer_tokens",
)


def lab_answers(
    lab: Lab, inventory: Inventory, hosts: Sequence[str], name: str, size: str = "lab"
) -> dict[str, Any]:
    """Return the answers for a site on the lab's machines.

    Args:
        lab: The lab.
        inventory: The inventory that it was read from.
        hosts: Machines of the lab that belong to the site, or speak to it from outside.
        name: Name of the new site.
        size: Of the site; with `lab` each machine stands and runs as it does in the lab, else `init` decides.

    Raises:
        RackwrightError: The lab has not been started, or its model has not been made.
    """
    if not lab.private_key.is_file():
        raise RackwrightError(f"the lab {lab.name} has not been started", hint="rackwright lab up")
    platform = [host for host in inventory.members("platform") if host in hosts]
    as_is = size == "lab"
    variables = inventory.site_variables()
    standing = {group for host in platform for group in inventory.hosts[host].groups}
    zones = {
        network.zone: str(network.cidr)
        for network in lab.networks
        if f"{ZONE_PREFIX}{network.zone}" in standing
    }
    further = {key: plain(variables[key]) for key in _FURTHER if key in variables}
    if "lab_directory" in further:
        # The inventory's own is relative to where it lies.
        further["lab_directory"] = str(lab.directory)
    return {
        "size": size,
        "name": name,
        "domain": f"{name}.rackwright.internal",
        "tier": variables["tier"],
        "hosts": [_host(inventory, host, as_is) for host in platform],
        "zones": zones if as_is else {},
        "management": list(variables["management_sources"]),
        "package_proxy": variables.get("package_proxy", ""),
        "ssh": {
            "user": variables["ansible_user"],
            "key": str(lab.private_key),
            "known_hosts": str(lab.known_hosts),
        },
        "outside": [
            {"name": host, "address": inventory.hosts[host].variables["ansible_host"]}
            for host in inventory.members(OUTSIDE)
            if host in hosts
        ],
        "variables": further,
    }


def answers_text(answers: Mapping[str, Any]) -> str:
    """Return the answers as the text of a file."""
    text = yaml.safe_dump(plain(answers), sort_keys=False, allow_unicode=True, width=140)
    return f"---\n# A site on the lab's machines: rackwright init --answers <this file>\n{text}"


def _host(inventory: Inventory, name: str, as_is: bool) -> dict[str, Any]:
    host = inventory.hosts[name]
    found: dict[str, Any] = {"name": name, "address": host.variables["ansible_host"]}
    if as_is:
        zones = [group for group in host.groups if group.startswith(ZONE_PREFIX)]
        found["zone"] = zones[0].removeprefix(ZONE_PREFIX)
        found["groups"] = sorted(set(host.groups) - set(zones) - _NO_SERVICE)
    for key, variable in (("memory_mb", "host_memory_mb"), ("cpus", "host_cpus")):
        if variable in host.variables:
            found[key] = host.variables[variable]
    return found
