"""Dashboards as Grafana's role takes them. Thin: `rackwright.dashboards`, loaded only when asked, does it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleFilterError

from rackwright.errors import RackwrightError
from rackwright.site.plain import plain

DOCUMENTATION = r"""
name: grafana_dashboards
short_description: The files of a site's dashboards, ours and its own
positional: _input, gpu, log_store, folder
options:
  _input: {description: C(host_plan.endpoints)., type: dict, required: true}
  gpu: {description: Whether a host has a GPU., type: bool, default: false}
  log_store: {description: C(loki) or C(elasticsearch); anything else is none., type: str, default: ''}
  folder: {description: Where the site has dashboards of its own., type: path, default: ''}
author: [Rackwright]
"""

EXAMPLES = r"""
grafana_dashboards: "{{ host_plan.endpoints | grafana_dashboards(folder=inventory_dir ~ '/dashboards') }}"
"""

RETURN = r"""
_value:
  description: Files, each with folder, name and content.
  type: list
  elements: dict
"""


def grafana_dashboards(
    endpoints: Mapping[str, Any], gpu: bool = False, log_store: str = "", folder: str = ""
) -> list[dict[str, str]]:
    """Return the files; a dashboard that is none stops the run here, on the controller."""
    from rackwright.dashboards.provision import provisioned  # noqa: PLC0415 - see above

    try:
        found = provisioned(
            [str(name) for name, ports in endpoints.items() if any(ports.values())],
            gpu=bool(gpu),
            log_store=str(log_store),
            folder=Path(str(folder)) if folder else None,
        )
    except RackwrightError as error:
        raise AnsibleFilterError(f"{error.message}\n{error.hint or ''}") from None
    return [asdict(file) for file in found]


def grafana_datasources(
    endpoints: Mapping[str, Any],
    domain: str,
    further: Sequence[Mapping[str, Any]] = (),
    passwords: Mapping[str, str] | None = None,
    beside: Mapping[str, str] | None = None,
) -> list[dict[str, Any]]:
    """Return the datasources of a site, as the role takes them; see `rackwright.dashboards.sources`."""
    from rackwright.dashboards.sources import sources  # noqa: PLC0415 - see above

    try:
        return sources(
            plain(endpoints), str(domain), plain(further), plain(passwords or {}), plain(beside or {})
        )
    except RackwrightError as error:
        raise AnsibleFilterError(f"{error.message}; {error.hint}") from None


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {"grafana_dashboards": grafana_dashboards, "grafana_datasources": grafana_datasources}
