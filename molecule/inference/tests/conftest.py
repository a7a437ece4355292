"""The scenario's machines, and a client that asks the route from any of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from machines import SOURCES, Machines
from telling import tell

from rackwright.site.inventory import Inventory, load_inventory

ASKER = Path(__file__).with_name("asker.py").read_text()
PORT = 8443
Answer = dict[str, Any]
Ask = Callable[..., list[Answer]]
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
def key(inventory: Inventory) -> str:
    """The key of the route's callers."""
    return str(inventory.hosts["app1"].variables["vault_model_route_api_key"])


@pytest.fixture(scope="session")
def model(inventory: Inventory) -> str:
    """The model that both engines serve."""
    return str(inventory.hosts["app1"].variables["llama_cpp_model"]["name"])


@pytest.fixture(scope="session")
def ask(machines: Machines) -> Ask:
    """Sends requests from a host, one after another."""

    def asked(host: str, *requests: dict[str, Any]) -> list[Answer]:
        machines.inside(host, "cat > /run/asker.py", data=ASKER)
        work = {"address": machines.addresses["app1"], "port": PORT, "requests": requests}
        return list(json.loads(machines.inside(host, "python3 /run/asker.py", data=json.dumps(work))))

    return asked


@pytest.fixture(scope="session")
def chat(key: str, model: str) -> Callable[..., dict[str, Any]]:
    """Makes a question."""

    def made(**body: object) -> dict[str, Any]:
        messages = [{"role": "user", "content": "What is a rack?"}]
        question = {
            "model": model,
            "max_tokens": 8,
            "messages": messages,
        }
        return {"path": "/v1/chat/completions", "key": key, "body": question | body}

    return made
