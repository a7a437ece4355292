"""The scenario's machines, and what their Prometheus says."""

from __future__ import annotations

import json
import time
import urllib.parse
from collections.abc import Callable
from typing import Any

import pytest
from machines import Machines

ASK = """
import http.client, ssl, sys
address, port, path = sys.argv[1:4]
trust = ssl.create_default_context(cafile="/etc/rackwright/tls/ca.pem")
own = "/etc/rackwright/tls/prometheus"
trust.load_cert_chain(f"{own}/cert.pem", f"{own}/key.pem")
connection = http.client.HTTPSConnection(address, int(port), context=trust, timeout=20)
connection.request("GET", path)
print(connection.getresponse().read().decode())
"""
Ask = Callable[[str], Any]


@pytest.fixture(scope="session")
def machines() -> Machines:
    """All machines of the scenario."""
    return Machines()


@pytest.fixture(scope="session")
def prometheus(machines: Machines) -> Ask:
    """Asks Prometheus' API, and returns the data of its answer."""

    def ask(path: str) -> Any:  # noqa: ANN401 - as the API's path has it
        words = f"{machines.addresses['ops1']} 9090 '/api/v1/{path}'"
        answer = json.loads(machines.inside("ops1", f"python3 - {words}", data=ASK))
        assert answer["status"] == "success", answer
        return answer["data"]

    return ask


@pytest.fixture(scope="session")
def query(prometheus: Ask) -> Callable[[str], list[dict[str, Any]]]:
    """Returns the series that an expression gives now."""
    return lambda expr: prometheus(f"query?query={urllib.parse.quote(expr)}")["result"]


@pytest.fixture(scope="session")
def until() -> Callable[..., None]:
    """Waits for something to hold."""

    def wait(holds: Callable[[], bool], seconds: float, what: str) -> None:
        end = time.monotonic() + seconds
        while not holds():
            assert time.monotonic() < end, f"{what}: not within {seconds:g} s"
            time.sleep(1)

    return wait
