"""Reads a lab out of an inventory."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from rackwright.errors import RackwrightError
from rackwright.lab.model import OUTSIDE, Lab, LabHost, LabNetwork
from rackwright.site.inventory import load_inventory

# The gateway's last octet and the hosts' must fit.
LONGEST_PREFIX = 24

Model = TypeVar("Model", bound=BaseModel)


class _Zone(BaseModel):
    cidr: IPv4Network


class _LabSettings(BaseModel):
    model_config = ConfigDict(extra="forbid")
    outside_cidr: IPv4Network
    denied_client: IPv4Address
    gateway_octet: int = Field(ge=2, le=254)
    closed: bool = False


class _SiteVariables(BaseModel):
    """The variables that make an inventory a lab's; all others are none of the lab's business."""

    lab_name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,23}$")
    lab_directory: Path
    lab: _LabSettings
    zones: dict[str, _Zone]


class _HostVariables(BaseModel):
    ansible_host: IPv4Address


def read_lab(sources: Sequence[Path]) -> Lab:
    """Read a lab out of inventory sources; later ones win.

    Raises:
        RackwrightError: The inventory cannot be read, or is not a lab's.
    """
    inventory = load_inventory(sources)
    return build_lab({name: host.variables for name, host in inventory.hosts.items()}, inventory.groups)


def build_lab(variables: Mapping[str, Mapping[str, Any]], groups: Mapping[str, Iterable[str]]) -> Lab:
    """Build a lab from an inventory's content.

    Args:
        variables: The templated variables of each host.
        groups: The hosts of each group.

    Raises:
        RackwrightError: The inventory is not a lab's, or an address lies in no network.
    """
    if not variables:
        raise RackwrightError("the inventory has no hosts", hint="a lab needs at least one host")
    site = _site(next(iter(variables.values())))
    networks = tuple(_networks(site))
    container_hosts = set(groups.get("container_hosts", ()))
    inference = set(groups.get("inference", ()))
    outside = sorted(groups.get(OUTSIDE, ()))
    hosts = []
    for name in sorted(variables):
        address = _parse(_HostVariables, variables[name], f"host {name}").ansible_host
        container = f"rw-{site.lab_name}-{name}"
        hosts.append(
            LabHost(
                name=name,
                container=container,
                address=address,
                network=_network_of(name, address, networks),
                # One client has a second address, from a range that no allowlist holds.
                extra_addresses=(site.lab.denied_client,) if outside[:1] == [name] else (),
                docker_volume=f"{container}-docker" if name in container_hosts else None,
                inference=name in inference,
            )
        )
    return Lab(site.lab_name, networks, tuple(hosts), site.lab_directory.resolve(), site.lab.closed)


def _site(values: Mapping[str, Any]) -> _SiteVariables:
    if "lab" not in values:
        raise RackwrightError(
            "the inventory has no variable `lab`: it is not a lab's",
            hint="lab commands work on inventories/lab and what is laid over it; a real site has no lab",
        )
    return _parse(_SiteVariables, values, "inventory")


def _networks(site: _SiteVariables) -> Iterable[LabNetwork]:
    cidrs = {**{zone: settings.cidr for zone, settings in site.zones.items()}, OUTSIDE: site.lab.outside_cidr}
    for zone, cidr in cidrs.items():
        if cidr.prefixlen > LONGEST_PREFIX:
            raise RackwrightError(
                f"zones.{zone}.cidr={cidr}: a lab's network is a /{LONGEST_PREFIX} or larger"
            )
        yield LabNetwork(
            zone=zone,
            name=f"rw-{site.lab_name}-{zone}",
            cidr=cidr,
            controller=cidr.network_address + 1,
            gateway=cidr.network_address + site.lab.gateway_octet,
        )


def _network_of(name: str, address: IPv4Address, networks: Iterable[LabNetwork]) -> LabNetwork:
    for network in networks:
        if address in network.cidr:
            if address in {network.controller, network.gateway}:
                raise RackwrightError(
                    f"host {name}: {address} is the controller's or the gateway's own address"
                )
            return network
    raise RackwrightError(
        f"host {name}: ansible_host={address} lies in none of the lab's networks",
        hint="networks are the cidr of each of `zones`, and lab.outside_cidr",
    )


def _parse(model: type[Model], values: Mapping[str, Any], subject: str) -> Model:
    try:
        # Only what the model names is asked for: the inventory templates a value when it is read.
        return model.model_validate({name: values[name] for name in model.model_fields if name in values})
    except ValidationError as error:
        problems = "\n".join(
            f"  {'.'.join(map(str, problem['loc']))}: {problem['msg']}" for problem in error.errors()
        )
        raise RackwrightError(f"{subject}: not usable for a lab\n{problems}") from error
