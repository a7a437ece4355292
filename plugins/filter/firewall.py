"""Filters that turn a host's flows into what the nftables template writes.

The template stays a text that an operator can read; what needs thought - which networks overlap, which
are IPv6, which flow is open to everybody, how a set is called - is decided here, on the controller.
"""

from __future__ import annotations

import contextlib
import ipaddress
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

HIGHEST_PORT = 65535
# In seconds.
SHORTEST_ROLLBACK, LONGEST_ROLLBACK = 20, 600
PROTOCOLS = ("tcp", "udp")
KEYS = frozenset({"inbound", "outbound", "beside", "confined", "management_sources"})
FAMILIES = ((4, "ip", "ipv4_addr"), (6, "ip6", "ipv6_addr"))


def _networks(values: Iterable[Any]) -> list[Network]:
    return [ipaddress.ip_network(str(value)) for value in values]


def _family(networks: Iterable[Network], version: int) -> list[Network]:
    """The networks of one IP version, with no overlap and in order: what an nft set accepts as it is."""
    chosen = [network for network in networks if network.version == version]
    # Two calls in effect: collapse_addresses takes one version at a time.
    return sorted(ipaddress.collapse_addresses(chosen))  # type: ignore[type-var]


def _sets(name: str, networks: list[Network]) -> list[dict[str, Any]]:
    """One nft set per IP version that occurs; none for a version that is open to everybody."""
    sets = []
    for version, keyword, kind in FAMILIES:
        members = _family(networks, version)
        if not members:
            continue
        everybody = any(network.prefixlen == 0 for network in members)
        sets.append(
            {
                "name": f"{name}_{version}",
                "family": keyword,
                "nfproto": f"ipv{version}",
                "type": kind,
                "everybody": everybody,
                # A /32 or /128 is an address to nft, and is listed so.
                "elements": [
                    str(n.network_address) if n.prefixlen == n.max_prefixlen else str(n) for n in members
                ],
            }
        )
    return sets


def firewall_flows(flows: Iterable[Mapping[str, Any]], peers: str, prefix: str) -> list[dict[str, Any]]:
    """Flows of a host plan, ready for the template.

    Args:
        flows: entries of `inbound` or `outbound` of a host plan's `firewall`.
        peers: the key that holds the networks, `sources` or `destinations`.
        prefix: how the names of the sets begin, `in` or `out`.

    Returns:
        One entry per service, port and protocol: name, title, protocol, port, container (bool) and `sets`
        (name, family, nfproto, type, everybody, elements). Flows that share all of these are joined; the
        order is that of the names, so that equal input in another order gives equal text.
    """
    joined: dict[tuple[str, str, int], dict[str, Any]] = {}
    for flow in flows:
        title = str(flow["service"])
        if flow.get("port_name"):
            title = f"{title}: {flow['port_name']}"
        protocol = str(flow.get("protocol") or "tcp")
        port = int(flow["port"])
        entry = joined.setdefault(
            (title, protocol, port),
            {"title": title, "protocol": protocol, "port": port, "container": False, "networks": []},
        )
        entry["container"] = entry["container"] or flow.get("container_port") is not None
        entry["networks"].extend(_networks(flow.get(peers) or []))
    result: list[dict[str, Any]] = []
    names: set[str] = set()
    for (title, protocol, port), entry in sorted(joined.items()):
        slug = re.sub(r"[^a-z0-9]+", "_", title.lower()).strip("_")
        name = f"{prefix}_{slug}_{protocol}_{port}"
        # Two titles may read the same once they are a name; their sets must stay two.
        if name in names:
            name = f"{name}_{len(names)}"
        names.add(name)
        sets = _sets(name, entry.pop("networks"))
        if sets:
            result.append({**entry, "name": name, "sets": sets})
    return result


def firewall_peers(networks: Iterable[Any], name: str) -> list[dict[str, Any]]:
    """The sets of plain networks, e.g. those that may manage a host; one that is everybody's is left out."""
    chosen = [network for network in _networks(networks) if network.prefixlen]
    return _sets(name, chosen)


def _network_problems(where: str, values: object) -> list[str]:
    if isinstance(values, str) or not isinstance(values, Iterable):
        return [f"{where} is {values!r}: it must be a list of networks; write e.g. [10.0.10.0/24]"]
    problems = []
    for value in values:
        try:
            ipaddress.ip_network(str(value))
        except ValueError as error:
            hint = "write e.g. 10.0.10.0/24 or 10.0.10.5/32"
            with contextlib.suppress(ValueError):
                hint = f"write {ipaddress.ip_network(str(value), strict=False)}"
            problems.append(f"{where} holds {value!r}: {error}; {hint}")
    return problems


def _flow_problems(where: str, flow: object, peers: str) -> list[str]:
    if not isinstance(flow, Mapping):
        return [f"{where} is {flow!r}: it must be a mapping with service, protocol, port and {peers}"]
    problems = []
    port = flow.get("port")
    if isinstance(port, bool) or not str(port).isdigit() or not 1 <= int(str(port)) <= HIGHEST_PORT:
        problems.append(f"{where}.port is {port!r}: it must be a number from 1 to 65535")
    if (flow.get("protocol") or "tcp") not in PROTOCOLS:
        problems.append(f"{where}.protocol is {flow['protocol']!r}: write one of {', '.join(PROTOCOLS)}")
    if not str(flow.get("service") or ""):
        problems.append(f"{where}.service is missing: write the name of the catalogue's service")
    return problems + _network_problems(f"{where}.{peers}", flow.get(peers, []))


def firewall_problems(rules: object, rollback_seconds: int = 45) -> list[str]:
    """Everything that is wrong with a host's rules, as sentences with variable, value, rule and remedy.

    Args:
        rules: what the role was given as `firewall_rules`.
        rollback_seconds: what it was given as `firewall_rollback_seconds`.

    Returns:
        An empty list when the rules can be applied.
    """
    if not isinstance(rules, Mapping):
        return [f"firewall_rules is {rules!r}: it must be host_plan.firewall, a mapping"]
    problems = []
    if not SHORTEST_ROLLBACK <= int(rollback_seconds) <= LONGEST_ROLLBACK:
        problems.append(
            f"firewall_rollback_seconds is {rollback_seconds}: it must be from {SHORTEST_ROLLBACK} (a new "
            f"connection and the call need their time) to {LONGEST_ROLLBACK} (so long a host that is cut off "
            "stays so); write 45"
        )
    unknown = sorted(set(rules) - KEYS)
    if unknown:
        problems.append(f"firewall_rules has unknown keys {unknown}: {', '.join(sorted(KEYS))} are known")
    sources = rules.get("management_sources")
    if not sources:
        problems.append(
            "firewall_rules.management_sources is empty: every way to manage the host would be closed; "
            "write the control node's addresses into management_sources, e.g. [10.0.40.5/32]"
        )
    else:
        found = _network_problems("firewall_rules.management_sources", sources)
        problems.extend(found)
        if not found and any(network.prefixlen == 0 for network in _networks(sources)):
            problems.append(
                "firewall_rules.management_sources holds a network that is everybody's (/0): SSH must not be "
                "open to all; write the networks that administrators really come from"
            )
    for direction, peers in (("inbound", "sources"), ("outbound", "destinations")):
        for index, flow in enumerate(rules.get(direction) or []):
            problems.extend(_flow_problems(f"firewall_rules.{direction}[{index}]", flow, peers))
    return problems


class FilterModule:
    """Ansible's entry point."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """The filters by the name that templates use."""
        return {
            "firewall_flows": firewall_flows,
            "firewall_peers": firewall_peers,
            "firewall_problems": firewall_problems,
        }
