"""Which address a request came from."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

Network = IPv4Network | IPv6Network


def client_address(
    peer: str, forwarded_for: Sequence[str], real_ip: str | None, trusted: Sequence[Network]
) -> str:
    """Finds the caller's address; what a header says counts only when a trusted proxy sent it.

    Args:
        peer: Address of the other end of the connection.
        forwarded_for: Every ``X-Forwarded-For`` header, in order.
        real_ip: The ``X-Real-IP`` header.
        trusted: Networks of our own proxies.

    Returns:
        The nearest address that is not one of our proxies; the peer's own when a header is absent or
        malformed.
    """
    if not _is_trusted(_parse(peer), trusted):
        return peer
    # Each proxy appends the address it saw: only what stands right of the first stranger was written by ours.
    hops = [hop.strip() for header in forwarded_for for hop in header.split(",") if hop.strip()]
    for hop in reversed(hops):
        address = _parse(hop)
        if address is None:
            return peer
        if not _is_trusted(address, trusted):
            return str(address)
    if not hops and real_ip is not None and (address := _parse(real_ip.strip())) is not None:
        return str(address)
    return peer


def _parse(text: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(text)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def _is_trusted(address: IPv4Address | IPv6Address | None, trusted: Sequence[Network]) -> bool:
    return address is not None and any(address in network for network in trusted)
