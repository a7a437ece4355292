"""Filters for the page that the edge serves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible.errors import AnsibleFilterError

from rackwright.errors import RackwrightError
from rackwright.frontend.build import build_page


def frontend_page(source: str) -> dict[str, str]:
    """Pack a static page on the control node.

    Args:
        source: A directory or archive; empty for the project's own page.

    Returns:
        `archive` and `digest`; or `problem`, why it cannot be packed.
    """
    try:
        page = build_page(source)
    except RackwrightError as error:
        return {"problem": str(error)}
    except OSError as error:
        raise AnsibleFilterError(f"frontend_page: {error}") from error
    return {"archive": str(page.archive), "digest": page.digest}


class FilterModule:
    """Filters, by name."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters."""
        return {"frontend_page": frontend_page}
