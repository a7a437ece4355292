"""Networks and addresses as an inventory writes them: text that is checked and stays text."""

from __future__ import annotations

import ipaddress
from typing import Annotated

from pydantic import AfterValidator


def _network(value: str) -> str:
    try:
        ipaddress.ip_network(value)
    except ValueError as error:
        raise ValueError(f"it must be an IPv4 or IPv6 network: {error}") from error
    return value


def _address(value: str) -> str:
    try:
        ipaddress.ip_address(value)
    except ValueError as error:
        raise ValueError(f"it must be an IPv4 or IPv6 address: {error}") from error
    return value


Network = Annotated[str, AfterValidator(_network)]
Address = Annotated[str, AfterValidator(_address)]


def single(address: str) -> str:
    """Return an address as a network of one: 10.0.0.1 as 10.0.0.1/32, an IPv6 one with /128."""
    return str(ipaddress.ip_network(address))
