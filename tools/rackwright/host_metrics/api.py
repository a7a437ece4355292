"""Asks a service of this host by HTTP, as it has no metrics of its own."""

from __future__ import annotations

import http.client
import json
from typing import Any

from rackwright.host_metrics.commands import UnavailableError


def answer_of(name: str, address: str, port: int, path: str) -> dict[str, Any]:
    """Return the JSON that a service answers to a GET.

    Args:
        name: The service's, for people.
        address: Where its API is.
        port: The same.
        path: What is asked.

    Raises:
        UnavailableError: It does not answer, or not with 200.
    """
    connection = http.client.HTTPConnection(address, port, timeout=5)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        body = answer.read()
        if answer.status != http.client.OK:
            raise UnavailableError(f"{name}: {answer.status}")
        found: dict[str, Any] = json.loads(body)
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise UnavailableError(f"{name}: {error}") from error
    finally:
        connection.close()
    return found
