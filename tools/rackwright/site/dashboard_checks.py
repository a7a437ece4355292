"""Checks of the dashboards that a site brings itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from rackwright.catalogue.findings import Finding, FindingsError
from rackwright.site.inventory import Inventory
from rackwright.site.plain import Value

GROUP = "grafana"


def dashboard_findings(inventory: Inventory, get: Callable[[str], Value]) -> Iterator[Finding]:
    """Yield what is wrong with the files in `grafana_folder`, on a site that shows them to anybody.

    Args:
        inventory: The site's inventory.
        get: Gives a site variable, None for one that is not set or cannot be templated.
    """
    folder = get("grafana_folder") if inventory.members(GROUP) else None
    if not isinstance(folder, str) or not Path(folder).is_dir():
        return
    # Imported here: most sites have none, and Grafana's library is large.
    from rackwright.dashboards.own import own  # noqa: PLC0415

    try:
        own(Path(folder))
    except FindingsError as error:
        yield from error.findings
