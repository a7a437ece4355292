"""The scenario's machines, MariaDB as root of its host and as a program elsewhere, and the command line."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from data_host import machines, variables
from keeping import Cli, cli, keeper
from machines import Machines
from watched import ASK, Watched

Root = Callable[..., str]
Client = Callable[..., str]
CA = "/etc/rackwright/tls/ca.pem"
__all__ = ["Cli", "cli", "keeper", "machines", "variables"]


@pytest.fixture(scope="session")
def root(machines: Machines) -> Root:
    """Runs SQL on a host as its root."""

    def asked(sql: str, host: str = "data1") -> str:
        return machines.inside(host, "mariadb -NB", data=sql)

    return asked


@pytest.fixture(scope="session")
def client(machines: Machines, variables: Mapping[str, Any]) -> Client:
    """Runs SQL as a program of app1 does; returns what was said, refusals included."""
    machines.inside("app1", "command -v mariadb || apt-get install -y -qq mariadb-client-core >/dev/null")

    def asked(sql: str, *options: str, user: str = "app", password: str = "", host: str = "data1") -> str:
        told = {"user": user, "password": password or variables["vault_mariadb_app_password"]}
        file = "[client]\n" + "".join(f"{name} = {value}\n" for name, value in told.items())
        machines.inside("app1", "umask 077; cat > /root/client.cnf", data=file)
        words = ["mariadb", "--defaults-file=/root/client.cnf", f"--host={machines.addresses[host]}", "-NB"]
        words += options or (f"--ssl-ca={CA}", "--ssl-verify-server-cert")
        return machines.inside("app1", f"{shlex.join(words)} 2>&1", check=False, data=sql)

    return asked


@pytest.fixture(scope="session")
def metrics(machines: Machines) -> Callable[[str, int], str]:
    """Asks an exporter of a host, as Prometheus does."""
    return lambda host, port: machines.inside(
        "ops1", f"python3 - {machines.addresses[host]} {port} /metrics", data=ASK
    )


@pytest.fixture(scope="session")
def reached(machines: Machines) -> Callable[[str], dict[str, str]]:
    """Waits until what callers' hosts reach of a service is known, and returns it: instance -> 1 or 0."""
    watched = Watched(machines, print)

    def asked(service: str) -> dict[str, str]:
        ends = time.monotonic() + 90
        while True:
            series = watched.query(f'min by (instance) (probe_success{{service="{service}"}})')
            found = {entry["metric"]["instance"]: entry["value"][1] for entry in series}
            if set(found.values()) == {"1"} or time.monotonic() > ends:
                return found
            time.sleep(2)

    return asked
