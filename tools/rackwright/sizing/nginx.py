"""Nginx: workers, their connections and files. It lives in the system's reserve."""

from __future__ import annotations

from rackwright.sizing.asked import Asked, Sized, as_they_are, asked_for
from rackwright.sizing.explained import Explained, Scalar

LARGEST_WORKERS = 32
LEAST_CONNECTIONS = 4096
MOST_CONNECTIONS = 65536
# A browser with HTTP/1.1 opens six; each request has one to the upstream beside it.
CONNECTIONS_PER_USER = 8
# Logs, certificates, modules, sockets to listen on.
OWN_FILES = 512
_REQUIREMENT = "the deployment plan, worker_connections 4096"
_MANUAL = "nginx documentation, core module"
_OURS = "docs/sizing.md, Nginx"


def size_nginx(asked: Asked) -> Sized:
    """Derive Nginx's numbers.

    Args:
        asked: Options: nginx_workers (0 leaves it open), nginx_worker_connections.
    """
    given_workers = asked.option("nginx_workers", least=0)
    if given_workers:
        workers = asked_for("nginx_workers", given_workers)
    else:
        count = min(LARGEST_WORKERS, asked.machine.cpus)
        rule = f"one per core, at most {LARGEST_WORKERS}"
        workers = Explained(count, "", rule, {"cpus": asked.machine.cpus}, _MANUAL)
    given = asked.option("nginx_worker_connections", least=64)
    if given is not None:
        connections = asked_for("nginx_worker_connections", given)
    else:
        connections = _connections(asked.intent.concurrent_users, int(workers.value))
    each = int(connections.value)
    files = Explained(
        each * 2 + OWN_FILES,
        "",
        f"worker_connections x 2 + {OWN_FILES}: each may have one to an upstream",
        {"worker_connections": each},
        _MANUAL,
    )
    total = Explained(
        int(workers.value) * each,
        "",
        "workers x worker_connections",
        {"workers": workers.value, "worker_connections": each},
        _MANUAL,
    )
    return as_they_are(
        {"workers": workers, "worker_connections": connections, "open_files": files}, connections=total
    )


def _connections(users: int, workers: int) -> Explained:
    value = power_of_two(-(-users * CONNECTIONS_PER_USER // workers), MOST_CONNECTIONS)
    inputs: dict[str, Scalar] = {"concurrent_users": users, "workers": workers}
    rule = f"{CONNECTIONS_PER_USER} a user over the workers, a power of two, {LEAST_CONNECTIONS} at least"
    return Explained(value, "", rule, inputs, _REQUIREMENT)


def power_of_two(wanted: int, most: int) -> int:
    """Return the power of two that is enough for so many connections, LEAST_CONNECTIONS to `most`."""
    value = LEAST_CONNECTIONS
    while value < min(wanted, most):
        value *= 2
    return value
