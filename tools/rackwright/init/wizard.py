"""The conversation that ends in the answers for a site. It writes nothing."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click

from rackwright.init import questions
from rackwright.init.layout import ZONES
from rackwright.init.questions import ask
from rackwright.site.variables import PRIVATE_NETWORKS

SIZES = {
    "small": "1 server, everything on it; up to 10 people at the same time",
    "medium": "2 servers, a primary and a standby that watches it; up to 50",
    "large": "5 servers and more, one or more per zone; 200 and more",
}
_USERS = {"small": "10", "medium": "50", "large": "200", "lab": "2"}
_ZONES = {
    "dmz": ("edge", 1, "Nginx; the only hosts that people reach"),
    "app": ("app", 2, "the app and the models; without scan: app on the first, models on the others"),
    "data": ("data", 1, "PostgreSQL and Redis"),
    "ops": ("ops", 1, "monitoring"),
}
Values = dict[str, Any]


def converse(given: Mapping[str, Any], taken: Callable[[str], bool]) -> Values:
    """Ask for everything that `given` lacks; returns data for `parse_answers`.

    Args:
        given: Answers that are there already.
        taken: Tells whether there is a site of a name.

    Raises:
        click.Abort: The operator has had enough (Ctrl-C, Ctrl-D).
    """
    values: Values = dict(given)
    click.echo("A new site. Enter takes what stands in brackets; Ctrl-C leaves, and nothing is written.\n")
    _about(values, taken)
    if "hosts" not in values:
        click.echo("\nMachines. Addresses are those in their zones; hosts never ask for names.")
        values["hosts"] = _hosts(values["size"])
    _access(values)
    _network(values)
    return values


def _about(values: Values, taken: Callable[[str], bool]) -> None:
    if "name" not in values:
        values["name"] = ask("Name of the site", questions.site_name(taken), "production")
    if "size" not in values:
        for size, text in SIZES.items():
            click.echo(f"  {size:7} {text}")
        values["size"] = ask("Size", questions.choice((*SIZES, "lab")), "small")
    if "domain" not in values:
        click.echo("\nPeople will open https://ai.<domain> and https://api.<domain>.")
        values["domain"] = ask("Domain", questions.domain)
    if "users" not in values and "tier" not in values:
        values["users"] = ask("People at the same time", questions.number(1), _USERS[values["size"]])


def _hosts(size: str) -> list[Values]:
    names: set[str] = set()
    taken: dict[str, str] = {}

    def host(default: str) -> Values:
        name = ask("  Name", questions.host_name(names), default)
        names.add(name)
        address = ask(f"  Address of {name}", questions.address(taken))
        taken[address] = name
        return {"name": name, "address": address}

    if size == "small":
        return [host("server1")]
    if size == "medium":
        click.echo("The first is the primary, the second the standby.")
        return [host("server1"), host("server2")]
    found = []
    for zone in ZONES:
        prefix, usual, text = _ZONES[zone]
        click.echo(f"Zone {zone}: {text}.")
        count = ask("  How many hosts", questions.number(1), str(usual))
        found += [{**host(f"{prefix}{number}"), "zone": zone} for number in range(1, count + 1)]
    return found


def _access(values: Values) -> None:
    click.echo("\nHow this computer gets in. The user needs sudo without a password.")
    ssh = dict(values.get("ssh", {}))
    if "user" not in ssh:
        ssh["user"] = ask("SSH user", str, "rackwright")
    if "key" not in ssh:
        key = ask("SSH key, or `none` for ssh's own choice", questions.path_or_none, _usual_key())
        if key is not None:
            ssh["key"] = key
    values["ssh"] = ssh
    if "management" not in values:
        click.echo("Only from these networks can anybody log in; this computer must be in one of them.")
        values["management"] = ask(
            "Administered from", questions.networks(1), own_networks(values["hosts"]) or None
        )


def _network(values: Values) -> None:
    click.echo("\nThe network. Hosts reach nothing outside but what stands here.")
    if "clients" not in values:
        values["clients"] = ask("Networks of the users", questions.networks(1), ", ".join(PRIVATE_NETWORKS))
    if "package_proxy" not in values:
        values["package_proxy"] = ask(
            "Package proxy, http://<address>:<port>, or `none`", questions.proxy, "none"
        )
    if "dns" not in values:
        values["dns"] = ask("DNS servers, or `none`", questions.addresses, "none")
    if "ntp" not in values:
        values["ntp"] = ask("Time servers, or `none`", questions.addresses, "none")


def own_networks(hosts: list[Values]) -> str:
    """Return this computer's addresses towards the hosts, as networks of one with commas between them."""
    found: dict[str, None] = {}
    for host in hosts:
        address = questions.own_address(str(host["address"]))
        if address is not None and not ipaddress.ip_address(address).is_loopback:
            found[str(ipaddress.ip_network(address))] = None
    return ", ".join(found)


def _usual_key() -> str:
    return "~/.ssh/id_ed25519" if Path("~/.ssh/id_ed25519").expanduser().is_file() else "none"
