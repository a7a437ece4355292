"""HAProxy: threads, connections and files. It lives in the system's reserve."""

from __future__ import annotations

from rackwright.sizing.asked import Asked, Sized, as_they_are, asked_for
from rackwright.sizing.explained import Explained, Scalar
from rackwright.sizing.nginx import CONNECTIONS_PER_USER, LEAST_CONNECTIONS, OWN_FILES, power_of_two

LARGEST_THREADS = 32
MOST_CONNECTIONS = 262_144
_REQUIREMENT = "the deployment plan, worker_connections 4096"
_MANUAL = "HAProxy configuration manual, global"


def size_haproxy(asked: Asked) -> Sized:
    """Derive HAProxy's numbers.

    Args:
        asked: Options: haproxy_threads (0 leaves it open), haproxy_connections.
    """
    given_threads = asked.option("haproxy_threads", least=0)
    if given_threads:
        threads = asked_for("haproxy_threads", given_threads)
    else:
        count = min(LARGEST_THREADS, asked.machine.cpus)
        rule = f"one per core, at most {LARGEST_THREADS}"
        threads = Explained(count, "", rule, {"cpus": asked.machine.cpus}, _MANUAL)
    given = asked.option("haproxy_connections", least=64)
    if given is not None:
        connections = asked_for("haproxy_connections", given)
    else:
        connections = _connections(asked.intent.concurrent_users)
    total = int(connections.value)
    files = Explained(
        total * 2 + OWN_FILES,
        "",
        f"connections x 2 + {OWN_FILES}: each may have one to an upstream",
        {"connections": total},
        _MANUAL,
    )
    return as_they_are(
        {"threads": threads, "connections": connections, "open_files": files}, connections=connections
    )


def _connections(users: int) -> Explained:
    """All threads share them, so they are not divided."""
    value = power_of_two(users * CONNECTIONS_PER_USER, MOST_CONNECTIONS)
    inputs: dict[str, Scalar] = {"concurrent_users": users}
    rule = f"{CONNECTIONS_PER_USER} a user, a power of two, {LEAST_CONNECTIONS} at least"
    return Explained(value, "", rule, inputs, _REQUIREMENT)
