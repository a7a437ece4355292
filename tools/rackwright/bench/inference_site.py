"""What a site's tier promises, from its inventory."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rackwright.errors import RackwrightError
from rackwright.site.inventory import load_inventory
from rackwright.tiers.load import tier_of
from rackwright.tiers.model import Tier


def tier_of_site(inventories: Sequence[Path]) -> tuple[str, Tier]:
    """Return the name and the content of a site's tier, with the site's own changes.

    Raises:
        RackwrightError: The inventory has no host, or no sound tier.
    """
    inventory = load_inventory(inventories)
    host = next((inventory.hosts[name] for name in inventory.groups.get("platform", ())), None)
    if host is None:
        raise RackwrightError(
            "the inventory has no host of the platform", hint="name a site with -i, e.g. -i inventories/lab"
        )
    return str(host.variables["tier"]), tier_of(host.variables, host.variables["services"])
