"""Access tokens for plays that speak with the app; thin over `rackwright.secrets.token`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible.errors import AnsibleFilterError

from rackwright.errors import RackwrightError


def access_token(secret: str, user: str, hours: float = 1) -> str:
    """Return an access token for a user, signed by the site's secret and valid for some hours."""
    # Ansible loads all filters in every run, and this takes as long as all others together.
    from rackwright.secrets.token import access_token as make_token  # noqa: PLC0415

    try:
        return make_token(str(secret), user=str(user), hours=hours)
    except RackwrightError as error:
        raise AnsibleFilterError(f"access_token: {error}") from error


class FilterModule:
    """What Ansible asks for the filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {"access_token": access_token}
