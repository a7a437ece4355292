"""Dify as a browser in the site asks it, and its databases: for the conftest of scenarios that have it."""

from __future__ import annotations

import base64
import json
import shlex
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from machines import SOURCES, Machines

from rackwright.site.inventory import load_inventory

Ask = Callable[..., tuple[int, Any]]
# Runs on the edge; the standard library checks the certificate against the site's authority, and the name.
ASK = """
import http.client, json, socket, ssl, sys
job = json.loads(sys.stdin.read())
context = ssl.create_default_context(cafile="/etc/rackwright/tls/ca.pem")
raw = socket.create_connection((job["address"], 443), 60)
connection = http.client.HTTPSConnection(job["name"], timeout=60)
connection.sock = context.wrap_socket(raw, server_hostname=job["name"])
connection.request(job["method"], job["path"], job["body"], job["headers"])
answer = connection.getresponse()
cookies = answer.headers.get_all("Set-Cookie") or []
print(json.dumps([answer.status, answer.read().decode(), cookies]))
"""


@pytest.fixture(scope="session")
def machines() -> Machines:
    """All machines of the scenario."""
    return Machines()


@pytest.fixture(scope="session")
def variables() -> Mapping[str, Any]:
    """What the inventory says of the host with Dify, its vault included."""
    return load_inventory(SOURCES).hosts["app1"].variables


class Browser:
    """A session at dify.<domain>, through the edge."""

    def __init__(self, machines: Machines, domain: str) -> None:
        self.machines, self.name = machines, f"dify.{domain}"
        self.cookies: dict[str, str] = {}

    def ask(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        """Ask; return status and JSON, or text."""
        headers = {"Content-Type": "application/json"} if body is not None else {}
        if self.cookies:
            headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
            headers["X-CSRF-Token"] = self.cookies.get("__Host-csrf_token", "")
        job = {
            "address": self.machines.addresses["edge1"], "name": self.name, "method": method, "path": path,
            "body": None if body is None else json.dumps(body), "headers": headers,
        }  # fmt: skip
        said = self.machines.inside("edge1", f"python3 -c {shlex.quote(ASK)}", data=json.dumps(job))
        status, text, cookies = json.loads(said)
        for cookie in cookies:
            name, _, value = cookie.partition(";")[0].partition("=")
            self.cookies[name] = value
        try:
            return status, json.loads(text)
        except ValueError:
            return status, text

    def log_in(self, email: str, password: str) -> int:
        """Sign in; return the status."""
        shown = base64.b64encode(password.encode()).decode()
        return self.ask("POST", "/console/api/login", {"email": email, "password": shown})[0]


@pytest.fixture
def browser(machines: Machines, variables: Mapping[str, Any]) -> Browser:
    """A browser with no session."""
    return Browser(machines, str(variables["domain"]))


@pytest.fixture
def sql(machines: Machines) -> Callable[[str, str], str]:
    """Asks a database as its superuser."""

    def asked(database: str, query: str) -> str:
        command = f"runuser -u postgres -- psql -XtA -d {database} -c {shlex.quote(query)}"
        return machines.inside("data1", f"cd /; {command}")

    return asked
