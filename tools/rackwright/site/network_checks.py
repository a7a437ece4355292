"""Checks of zones, addresses and ports: what the firewall's rules are made from."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping
from itertools import combinations

from rackwright.catalogue.findings import Finding, short
from rackwright.catalogue.inference import VARIABLE, engine_of
from rackwright.catalogue.load import Catalogue
from rackwright.catalogue.plan import proxy_endpoint
from rackwright.catalogue.site import ZONE_PREFIX
from rackwright.errors import RackwrightError
from rackwright.site.inventory import Inventory
from rackwright.site.plain import Value

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def zone_networks(zones: Value) -> dict[str, Network]:
    """Return the subnets of `zones` that are well formed; others have a finding of their own already."""
    found: dict[str, Network] = {}
    if isinstance(zones, Mapping):
        for name, settings in zones.items():
            try:
                found[str(name)] = ipaddress.ip_network(settings["cidr"])
            except (ValueError, KeyError, TypeError):
                continue
    return found


def zone_findings(networks: Mapping[str, Network], catalogue: Catalogue | None) -> Iterator[Finding]:
    """Yield overlapping subnets, and zones that the policy does not know."""
    for (name, network), (other, other_network) in combinations(networks.items(), 2):
        if network.version == other_network.version and network.overlaps(other_network):
            yield Finding(
                f"zones.{name}.cidr",
                str(network),
                f"it overlaps zones.{other}.cidr ({other_network}): an address must tell its zone",
                "give each zone a subnet of its own",
            )
    for name, network in networks.items():
        if catalogue is not None and name not in catalogue.zone_policy:
            yield Finding(
                f"zones.{name}",
                str(network),
                "zone_policy does not know this zone",
                f"the zones are {', '.join(catalogue.zone_policy)}",
            )


def host_findings(inventory: Inventory, networks: Mapping[str, Network]) -> Iterator[Finding]:
    """Yield hosts in no zone or two, outside their zone's subnet, or with another host's address."""
    owner: dict[str, str] = {}
    platform = inventory.members("platform")
    for name in dict.fromkeys((*platform, *inventory.members("outside"))):
        address, finding = _address(inventory, name)
        if finding is not None:
            yield finding
        if address is not None:
            first = owner.setdefault(str(address), name)
            if first != name:
                yield Finding(
                    "ansible_host",
                    str(address),
                    f"{first} has this address already",
                    "give each host its own address",
                    where=f"host {name}",
                )
        if name in platform:
            yield from _standing(inventory, name, address, networks)


def _standing(
    inventory: Inventory,
    name: str,
    address: ipaddress.IPv4Address | ipaddress.IPv6Address | None,
    networks: Mapping[str, Network],
) -> Iterator[Finding]:
    zones = [group for group in inventory.hosts[name].groups if group.startswith(ZONE_PREFIX)]
    if len(zones) != 1:
        yield Finding(
            "groups",
            ", ".join(zones) or "(no zone)",
            "a host of `platform` stands in exactly one zone",
            f"put it in one of the groups {', '.join(ZONE_PREFIX + zone for zone in networks)}",
            where=f"host {name}",
        )
        return
    network = networks.get(zones[0].removeprefix(ZONE_PREFIX))
    if address is not None and network is not None and address not in network:
        yield Finding(
            "ansible_host",
            str(address),
            f"it lies outside the subnet of the host's zone ({zones[0]}: {network})",
            "correct the address, the zone's cidr, or the host's zone",
            where=f"host {name}",
        )


def _address(
    inventory: Inventory, name: str
) -> tuple[ipaddress.IPv4Address | ipaddress.IPv6Address | None, Finding | None]:
    hint = "write its IPv4 or IPv6 address in its zone: firewall rules and certificates are made from it"
    try:
        value = inventory.hosts[name].variables.get("ansible_host", "")
        return ipaddress.ip_address(value), None
    except RackwrightError as error:
        return None, Finding("ansible_host", "(unusable)", error.message, error.hint or hint, f"host {name}")
    except ValueError:
        shown = short(value) or "(absent)"
        return None, Finding("ansible_host", shown, "it must be an address", hint, where=f"host {name}")


def port_findings(
    inventory: Inventory,
    catalogue: Catalogue,
    tier_engine: str = "",
    choices: Mapping[str, str] | None = None,
) -> Iterator[Finding]:
    """Yield ports that two services of one host would both listen on.

    Args:
        inventory: The site's.
        catalogue: The services; of those that can take each other's place only the selected ones run.
        tier_engine: The engine of the site's tier; empty where that is not known.
        choices: What the site has chosen, by variable.
    """
    for host in inventory.members("platform"):
        taken: dict[tuple[int, str], str] = {}
        values = {**(choices or {}), VARIABLE: _engine(inventory, host, tier_engine)}
        for name, service in catalogue.services.items():
            if host not in inventory.members(service.group) or not service.selected(values):
                continue
            for port_name, port in service.ports.items():
                here = f"services.{name}.ports.{port_name}"
                first = taken.setdefault((port.port, port.protocol), here)
                # Two equal ports of one service are the catalogue's own finding.
                if first != here and not first.startswith(f"services.{name}."):
                    yield Finding(
                        f"{here}.port",
                        str(port.port),
                        f"{first} has the same port on this host",
                        "give one of them another port, or place the services on different hosts",
                        where=f"host {host}",
                    )


def _engine(inventory: Inventory, host: str, tier_engine: str) -> str:
    try:
        return engine_of(inventory.hosts[host].variables, tier_engine)
    except RackwrightError:
        # Told by the check of engines.
        return ""


def proxy_findings(url: Value) -> Iterator[Finding]:
    """Yield a package proxy that the firewall could not open."""
    if isinstance(url, str) and url:
        try:
            proxy_endpoint(url)
        except RackwrightError as error:
            yield Finding("package_proxy", short(url), error.message, error.hint or "")
