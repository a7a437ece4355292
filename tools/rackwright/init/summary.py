"""What `init` tells: the site before it is written, and what to do next."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from rackwright.init.answers import Answers
from rackwright.init.create import Draft, Written
from rackwright.init.questions import own_address


def show_draft(console: Console, answers: Answers, draft: Draft) -> None:
    """Print the site that is about to be written."""
    table = Table(
        title=f"{answers.name}: {answers.size}, tier {draft.tier.tier}", title_justify="left", box=None
    )
    for column in ("Host", "Address", "Zone", "Runs"):
        table.add_column(column, overflow="fold")
    for host in draft.layout.hosts:
        table.add_row(
            host.answer.name, host.answer.address, host.zone, ", ".join(host.groups) or "nothing yet"
        )
    console.print(table)
    if draft.tier.reason:
        console.print(Text(f"Tier {draft.tier.tier}: {draft.tier.reason}."))
    for shortfall in draft.tier.shortfalls:
        console.print(Text(f"  lacking: {shortfall}", style="yellow"))
    left_out = _left_out(answers)
    if left_out:
        console.print(
            Text(
                f"This computer reaches the hosts from {left_out}, which management does not hold: once the "
                "firewall stands, it is locked out.",
                style="yellow",
            )
        )
    if draft.layout.members("postgresql") and not draft.layout.members("backup"):
        console.print(
            Text(
                "No backups: they need a host of their own in the zone ops (group `backup`); on the host that"
                " they are of they would be lost with it.",
                style="yellow",
            )
        )
    if not answers.package_proxy:
        console.print(
            Text("No package proxy: hosts can install nothing once the firewall stands.", style="yellow")
        )


def show_written(console: Console, draft: Draft, done: Written) -> None:
    """Print what has been done, and the commands that follow."""
    target = shown(draft.target)
    if not done.written and not done.secrets:
        console.print(Text(f"{target} is there already, exactly so: nothing to do."))
        return
    if done.written:
        console.print(Text(f"{target}: {len(draft.files)} files written"))
    if done.secrets:
        console.print(Text(f"{target}: {len(done.secrets)} secrets drawn into group_vars/all/vault.yml"))
    if done.password_file is not None:
        console.print(
            Text(f"made the vault password: {done.password_file}\n  back it up: without it the vault is lost")
        )
    for finding in done.warnings:
        console.print(Text(f"warning: {finding}", style="yellow"))
    console.print(Text("\nNext:"))
    for engine in draft.needs_models:
        console.print(Text(f"  name image and model in {target}/group_vars/all/{engine}.yml"))
    for command in ("validate", "preflight", "plan", "apply"):
        console.print(Text(f"  rackwright {command} -i {target}"))


def _left_out(answers: Answers) -> str:
    """Return the addresses of this computer, towards the hosts, from which nobody may administer them."""
    allowed = [ipaddress.ip_network(network) for network in answers.management]
    own = {own_address(host.address) for host in answers.hosts} - {None}
    found = [address for address in own if address and not _within(address, allowed)]
    return ", ".join(sorted(found))


def _within(address: str, networks: Sequence[ipaddress.IPv4Network | ipaddress.IPv6Network]) -> bool:
    return any(ipaddress.ip_address(address) in network for network in networks)


def shown(path: Path) -> str:
    """Return a path as short as the operator would write it."""
    relative = os.path.relpath(path)
    return str(path) if relative.startswith("..") else relative
