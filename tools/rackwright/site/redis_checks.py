"""Checks of a site with several hosts for Redis, of which one leads."""

from __future__ import annotations

from collections.abc import Iterator

from rackwright.catalogue.findings import Finding, short
from rackwright.errors import RackwrightError
from rackwright.site.inventory import Inventory

VARIABLE = "redis_primary"


def redis_findings(inventory: Inventory) -> Iterator[Finding]:
    """Yield a leader that is no host for Redis, and hosts that do not agree on one."""
    hosts = inventory.members("redis")
    said: dict[str, str] = {}
    for name in inventory.members("platform"):
        try:
            said[name] = str(inventory.hosts[name].variables.get(VARIABLE) or "")
        except RackwrightError as error:
            yield Finding(VARIABLE, "(unusable)", error.message, error.hint or "", f"host {name}")
            return
    for leader in dict.fromkeys(said.values()):
        if leader and leader not in hosts:
            rule = f"it leads the hosts of the group redis, which are {', '.join(hosts) or 'none'}"
            fix = f"write one of them, or put {short(leader)} into the group redis"
            yield Finding(VARIABLE, short(leader), rule, fix)
    if len(set(said.values())) > 1:
        rule = "the site has one that leads, and callers everywhere must know the same"
        yield Finding(
            VARIABLE, short(", ".join(sorted(set(said.values())))), rule, "say it once, in group_vars/all"
        )
