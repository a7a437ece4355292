"""Filter of the role fastchat: `models | fastchat_workers(settings)`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleFilterError

from rackwright.errors import RackwrightError
from rackwright.fastchat.workers import workers_of
from rackwright.site.plain import plain


def fastchat_workers(
    models: Sequence[Mapping[str, Any]], settings: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Return the workers of a host: name, model, address, definition of the container."""
    try:
        return workers_of(plain(models), plain(settings))
    except RackwrightError as error:
        raise AnsibleFilterError(f"{error.message}; {error.hint}") from None


class FilterModule:
    """What Ansible finds in this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {"fastchat_workers": fastchat_workers}
