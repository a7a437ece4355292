"""The sources of the site that a task belongs to, for the actions that fetch or have fetched."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rackwright.site.plain import plain


def site_sources(templar: Any, task_vars: Mapping[str, Any] | None) -> dict[str, Any]:  # noqa: ANN401 - untyped
    """Return the variable `sources`, templated; empty where a play has none.

    Args:
        templar: Of the task.
        task_vars: Variables of the host.
    """
    if not task_vars or "sources" not in task_vars:
        return {}
    found: dict[str, Any] = plain(templar.template(task_vars["sources"]))
    return found
