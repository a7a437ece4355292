"""Checks of how often a site keeps its stores."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from rackwright.backup.every import VARIABLE, problems
from rackwright.catalogue.findings import Finding, short
from rackwright.catalogue.load import Catalogue
from rackwright.catalogue.nothing import Nothing
from rackwright.errors import RackwrightError
from rackwright.site.inventory import Inventory


def backup_findings(inventory: Inventory, catalogue: Catalogue) -> Iterator[Finding]:
    """Yield intervals that are none, and stores or kinds that there are not."""
    kept = [
        {"name": f"{host}/{name}", "kind": service.state.kind}
        for name, service in catalogue.services.items()
        for host in inventory.members(service.group)
        if not isinstance(service.state, Nothing)
    ]
    for host in inventory.members("backup"):
        try:
            every = inventory.hosts[host].variables.get(VARIABLE)
        except RackwrightError as error:
            yield Finding(VARIABLE, "(unusable)", error.message, error.hint or "", f"host {host}")
            continue
        # What is no dict is told by the specification of the role.
        if isinstance(every, Mapping):
            for value, rule, hint in problems(every, kept):
                yield Finding(VARIABLE, short(value), rule, hint, f"host {host}")
