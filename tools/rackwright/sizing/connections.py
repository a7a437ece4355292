"""How many connections the site's services open to the database, and how many it must therefore allow.

Both sides follow from the tier and the placement alone, so that the hosts of the app and the host of the
database come to the same number without asking each other.
"""

from __future__ import annotations

from collections.abc import Mapping

from rackwright.sizing.explained import Explained, Scalar
from rackwright.sizing.intent import Intent

# PostgreSQL keeps 3 for its superuser; exporter, backups, migrations and an administrator get the rest.
RESERVED = 15
# A request holds a connection for the milliseconds of a query, not for the seconds of an answer.
USERS_PER_CONNECTION = 5
LEAST_PER_HOST = 16
MOST_PER_HOST = 64
# Dify: pools of api, worker and plugin daemon, a few of its scheduler, five for passages in each of two.
DIFY_POOL = 16
DIFY = 3 * DIFY_POOL + 2 + 2 * 5
_SOURCE = "docs/sizing.md, connections"


def per_app_host(intent: Intent, hosts: Mapping[str, int]) -> Explained:
    """Return how many connections the app of one host may open."""
    count = max(1, hosts.get("app", 1))
    wanted = -(-intent.concurrent_users // (USERS_PER_CONNECTION * count))
    value = max(LEAST_PER_HOST, min(MOST_PER_HOST, wanted))
    inputs: dict[str, Scalar] = {"concurrent_users": intent.concurrent_users, "app_hosts": count}
    each = f"{LEAST_PER_HOST} to {MOST_PER_HOST} each"
    rule = f"one for {USERS_PER_CONNECTION} users, over the app's hosts, {each}"
    return Explained(value, "", rule, inputs, _SOURCE)


def needed(intent: Intent, hosts: Mapping[str, int]) -> int:
    """Return the max_connections that every client of the database fits into, the reserve included."""
    app_hosts = hosts.get("app", 0)
    return RESERVED + app_hosts * int(per_app_host(intent, hosts).value) + hosts.get("dify_api", 0) * DIFY
