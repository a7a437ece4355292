"""The scenario's machines, and a client on the app's own host."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from browser import chromium
from machines import SOURCES, Machines
from telling import tell

from rackwright.site.inventory import Inventory, load_inventory

PYTHON = "/opt/rackwright/app/current/bin/python"
PROGRAM = "runuser -u rackwright-app -- /opt/rackwright/app/current/bin/rackwright-app"
ASKER = Path(__file__).with_name("asker.py").read_text()
Ask = Callable[..., list[dict[str, Any]]]
__all__ = ["tell"]


@pytest.fixture(scope="session")
def machines() -> Machines:
    """All machines of the scenario."""
    return Machines()


@pytest.fixture(scope="session")
def inventory() -> Inventory:
    """The site's inventory, with its vault."""
    return load_inventory(SOURCES)


@pytest.fixture(scope="session")
def token(machines: Machines) -> str:
    """An access token of the user alice."""
    return machines.inside("app1", f"{PROGRAM} token alice")


@pytest.fixture(scope="session")
def ask(machines: Machines, token: str) -> Ask:
    """Sends requests to the app, one after another."""

    def asked(*requests: dict[str, Any]) -> list[dict[str, Any]]:
        machines.inside("app1", "cat > /run/asker.py", data=ASKER)
        work = {"url": f"https://{machines.addresses['app1']}:3001", "token": token, "requests": requests}
        return list(json.loads(machines.inside("app1", f"{PYTHON} /run/asker.py", data=json.dumps(work))))

    return asked


@pytest.fixture(scope="session")
def at_the_client(machines: Machines, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What starts Chromium in the network of a client's machine outside.

    It comes from where users come from, and hears nothing of networks of other labs: Chromium gives up what
    it asks for when one comes or goes.
    """
    program = tmp_path_factory.mktemp("client") / "chromium"
    process = machines.process_of("outside1")
    program.write_text(f'#!/bin/sh\nexec nsenter --target {process} --net {chromium()} "$@"\n')
    program.chmod(0o755)
    return program
