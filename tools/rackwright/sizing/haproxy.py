"""HAProxy and Traefik: threads, connections and files. They live in the system's reserve."""

from __future__ import annotations

from rackwright.sizing.asked import Asked, Sized, as_they_are, asked_for
from rackwright.sizing.explained import Explained, Scalar
from rackwright.sizing.nginx import CONNECTIONS_PER_USER, LEAST_CONNECTIONS, OWN_FILES, power_of_two

LARGEST_THREADS = 32
MOST_CONNECTIONS = 262_144
_REQUIREMENT = "the deployment plan, worker_connections 4096"
_MANUAL = "HAProxy configuration manual, global"
_SYSTEMD = "systemd.exec, LimitNOFILE"


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
    connections = _connections(asked, "haproxy_connections")
    files = _files(connections, _MANUAL)
    return as_they_are(
        {"threads": threads, "connections": connections, "open_files": files}, connections=connections
    )


def size_traefik(asked: Asked) -> Sized:
    """Derive Traefik's numbers; its threads are Go's business.

    Args:
        asked: Options: traefik_connections.
    """
    connections = _connections(asked, "traefik_connections")
    files = _files(connections, _SYSTEMD)
    return as_they_are({"connections": connections, "open_files": files}, connections=connections)


def _files(connections: Explained, source: str) -> Explained:
    total = int(connections.value)
    rule = f"connections x 2 + {OWN_FILES}: each may have one to an upstream"
    return Explained(total * 2 + OWN_FILES, "", rule, {"connections": total}, source)


def _connections(asked: Asked, option: str) -> Explained:
    """All threads share them, so they are not divided."""
    given = asked.option(option, least=64)
    if given is not None:
        return asked_for(option, given)
    users = asked.intent.concurrent_users
    value = power_of_two(users * CONNECTIONS_PER_USER, MOST_CONNECTIONS)
    inputs: dict[str, Scalar] = {"concurrent_users": users}
    rule = f"{CONNECTIONS_PER_USER} a user, a power of two, {LEAST_CONNECTIONS} at least"
    return Explained(value, "", rule, inputs, _REQUIREMENT)
