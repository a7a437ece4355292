"""Networks that must not meet: what is wrong with the address pools of a container engine."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Mapping, Sequence
from typing import Any

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def _network(text: object) -> Network | None:
    try:
        return ipaddress.ip_network(str(text))
    except ValueError:
        return None


def _overlap(one: Network, other: Network) -> bool:
    return one.version == other.version and one.overlaps(other)


def pool_problems(pools: Sequence[Mapping[str, Any]], reserved: Sequence[str]) -> list[str]:
    """Say what is wrong with address pools.

    Args:
        pools: Each a `base` network and the `size` (prefix length) of the networks that are cut from it.
        reserved: Networks of the site that no pool may share an address with.

    Returns:
        One sentence for each problem: the value, the rule and what to write instead. Empty when all is well.
    """
    problems = []
    taken: list[tuple[str, Network]] = []
    for text in reserved:
        network = _network(text)
        if network is None:
            problems.append(f"reserved network {text!r} is no network; write it like 10.20.0.0/16")
        else:
            taken.append((f"the site's network {network}", network))
    for pool in pools:
        base, size = _network(pool.get("base")), pool.get("size")
        if base is None:
            problems.append(
                f"base {pool.get('base')!r} is no network or has host bits set; write it like 172.30.0.0/16"
            )
            continue
        if not isinstance(size, int) or not base.prefixlen <= size <= base.max_prefixlen - 2:
            problems.append(
                f"size {size!r} of {base} must be a prefix length from {base.prefixlen} to "
                f"{base.max_prefixlen - 2}; write 24 for networks of 254 addresses"
            )
        for owner, network in taken:
            if _overlap(base, network):
                problems.append(f"base {base} overlaps {owner}; choose another private range")
        taken.append((f"the pool {base}", base))
    return problems


class FilterModule:
    """What Ansible asks for the filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {"pool_problems": pool_problems}
