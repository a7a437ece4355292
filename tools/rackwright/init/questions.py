"""Single questions of the wizard, each answer checked at once."""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Callable
from typing import TypeVar

import click

from rackwright.catalogue.plan import proxy_endpoint
from rackwright.errors import RackwrightError
from rackwright.init.answers import SITE_NAME
from rackwright.site.names import host_name_problem
from rackwright.site.variables import DOMAIN

T = TypeVar("T")
Check = Callable[[str], T]


def ask(question: str, check: Check[T], default: str | None = None) -> T:
    """Ask until the answer passes its check; the empty answer is the default."""

    def value_proc(text: str) -> T:
        return check(text.strip())

    # Without a default click asks again after an empty answer.
    shown = default if default != "" else None
    return click.prompt(
        question,
        default=default,
        show_default=False,
        value_proc=value_proc,
        prompt_suffix=f" [{shown}]: " if shown is not None else ": ",
    )


def site_name(taken: Callable[[str], bool]) -> Check[str]:
    """Return the check of the name of a site that is not there yet."""

    def check(text: str) -> str:
        if not re.match(SITE_NAME, text):
            raise click.UsageError("small letters, digits and `-`, beginning with a letter, at most 32")
        if taken(text):
            raise click.UsageError(f"there is a site {text} already; init never writes over one")
        return text

    return check


def domain(text: str) -> str:
    """Check a domain."""
    if not re.match(DOMAIN, text):
        raise click.UsageError(
            "a domain in small letters without `_`, two parts at least, e.g. ai.example.internal"
        )
    return text


def number(least: int) -> Check[int]:
    """Return the check of a whole number that is at least as great."""

    def check(text: str) -> int:
        if not text.isdecimal() or int(text) < least:
            raise click.UsageError(f"a whole number, {least} or more")
        return int(text)

    return check


def choice(options: tuple[str, ...]) -> Check[str]:
    """Return the check of one of several words; its beginning is enough."""

    def check(text: str) -> str:
        found = [option for option in options if option == text.lower()] or [
            option for option in options if text and option.startswith(text.lower())
        ]
        if len(found) != 1:
            raise click.UsageError(f"one of {', '.join(options)}")
        return found[0]

    return check


def host_name(taken: set[str]) -> Check[str]:
    """Return the check of a host's name that nobody else has."""

    def check(text: str) -> str:
        problem = host_name_problem(text) or ("another host has this name" if text in taken else None)
        if problem:
            raise click.UsageError(problem)
        return text

    return check


def address(taken: dict[str, str]) -> Check[str]:
    """Return the check of an address that nobody else has (address -> its owner)."""

    def check(text: str) -> str:
        try:
            found = str(ipaddress.ip_address(text))
        except ValueError:
            raise click.UsageError("an IPv4 or IPv6 address; names are not asked of anybody") from None
        if found in taken:
            raise click.UsageError(f"{taken[found]} has this address already")
        return found

    return check


def networks(least: int) -> Check[list[str]]:
    """Return the check of a list of networks; a lone address is a network of one."""

    def check(text: str) -> list[str]:
        found = []
        for item in _items(text):
            try:
                found.append(str(ipaddress.ip_network(item)))
            except ValueError as error:
                raise click.UsageError(f"{error}; write e.g. 10.0.5.0/24, or 10.0.5.7 for one") from None
        if len(found) < least:
            raise click.UsageError("one at least")
        return found

    return check


def addresses(text: str) -> list[str]:
    """Check a list of addresses, which may be empty."""
    try:
        return [str(ipaddress.ip_address(item)) for item in _items(text)]
    except ValueError as error:
        raise click.UsageError(f"{error}; addresses with commas between them, or `none`") from None


def proxy(text: str) -> str:
    """Check the URL of a package proxy; `none` is none."""
    if text in {"", "none"}:
        return ""
    try:
        proxy_endpoint(text)
    except RackwrightError:
        raise click.UsageError("an address, not a name, e.g. http://10.0.40.5:3142") from None
    return text


def path_or_none(text: str) -> str | None:
    """Return a path; `none` is none."""
    return None if text in {"", "none"} else text


def own_address(other: str) -> str | None:
    """Return the address by which this computer would reach another; None without a way. Sends nothing."""
    family = socket.AF_INET6 if ":" in other else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((other, 22))
            return str(probe.getsockname()[0])
    except OSError:
        return None


def _items(text: str) -> list[str]:
    return [] if text == "none" else text.replace(",", " ").split()
