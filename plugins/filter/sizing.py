"""Sizing for plays: settings of PostgreSQL and Redis from their budgets.

Thin: everything is done by `rackwright.sizing`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError

from rackwright.errors import RackwrightError
from rackwright.site.plain import plain
from rackwright.sizing.postgresql import PostgresqlSettings, size_postgresql
from rackwright.sizing.redis import size_redis


def _postgresql(budget: Mapping[str, Any], options: Mapping[str, Any]) -> PostgresqlSettings:
    values = plain(budget)
    # An option that the operator left out arrives as an empty string or None.
    given = {name: value for name, value in plain(options).items() if value not in {None, ""}}
    try:
        return size_postgresql(int(values["memory_mb"]), int(values["cpus"]), **given)
    except RackwrightError as error:
        raise AnsibleFilterError(str(error)) from error


def postgresql_settings(budget: Mapping[str, Any], **options: Any) -> dict[str, str]:  # noqa: ANN401
    """Return PostgreSQL's parameters, each as `SHOW` prints it.

    Args:
        budget: memory_mb and cpus, an entry of `host_plan.budget.services`.
        options: connections, storage, wal_disk_gb, huge_pages; each may be empty.

    Raises:
        AnsibleFilterError: What the budget cannot hold, with the smallest change that would work.
    """
    return _postgresql(budget, options).values()


def postgresql_huge_pages(budget: Mapping[str, Any], **options: Any) -> int:  # noqa: ANN401
    """Return how many 2 MB pages hold PostgreSQL's shared memory; 0 where huge pages do not pay."""
    return _postgresql(budget, options).huge_pages


def redis_settings(budget: Mapping[str, Any]) -> dict[str, str]:
    """Return Redis's directives, each as redis.conf takes it.

    Args:
        budget: memory_mb and cpus, an entry of `host_plan.budget.services`.

    Raises:
        AnsibleFilterError: A budget that is too small, with the smallest that would do.
    """
    values = plain(budget)
    try:
        return size_redis(int(values["memory_mb"]), int(values["cpus"])).values()
    except RackwrightError as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {
            "postgresql_settings": postgresql_settings,
            "postgresql_huge_pages": postgresql_huge_pages,
            "redis_settings": redis_settings,
        }
