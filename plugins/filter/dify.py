"""Thin filters over rackwright.dify."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleFilterError

from rackwright.dify.containers import containers, migration
from rackwright.dify.models import models
from rackwright.dify.options import parse
from rackwright.errors import RackwrightError
from rackwright.site.plain import plain


def _asked(what: Callable[[Any], Any], options: Mapping[str, Any]) -> Any:  # noqa: ANN401 - plain data
    try:
        return what(parse(plain(dict(options))))
    except RackwrightError as error:
        raise AnsibleFilterError(f"{error.message}; {error.hint}") from None


def dify_containers(options: Mapping[str, Any]) -> Any:  # noqa: ANN401 - plain data
    """Return the definitions of all containers, in the order of their start."""
    return _asked(containers, options)


def dify_migration(options: Mapping[str, Any]) -> Any:  # noqa: ANN401 - plain data
    """Return the definition of the container that migrates the database."""
    return _asked(migration, options)


def dify_models(
    inference: Sequence[Mapping[str, Any]], routes: Sequence[str], keys: Mapping[str, str], context: int
) -> list[dict[str, Any]]:
    """Return the site's models as Dify is told of them."""
    return models(plain(inference), plain(routes), plain(keys), int(context))


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {
            "dify_containers": dify_containers,
            "dify_migration": dify_migration,
            "dify_models": dify_models,
        }
