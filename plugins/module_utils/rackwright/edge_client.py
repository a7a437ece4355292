"""Speaks with the edge as a user's program does: by its name, at its address, trusting one authority."""

from __future__ import annotations

import http.client
import socket
import ssl
import tempfile
import time
from collections.abc import Callable
from typing import Any

# Whether a step held, what was seen, and what later steps need.
Outcome = tuple[bool, str, dict[str, Any]]

ARGUMENTS: dict[str, dict[str, Any]] = {
    "address": {"type": "str", "required": True},
    "https_port": {"type": "int", "required": True},
    "host": {"type": "str", "required": True},
    "ca": {"type": "str", "required": True},
    "token": {"type": "str", "required": True, "no_log": True},
    "answer_timeout": {"type": "int", "default": 120},
}


class EdgeClient:
    """Opens connections to the edge that verify its certificate against the given authority."""

    def __init__(self, params: dict[str, Any]) -> None:
        self.params = params
        with tempfile.NamedTemporaryFile("w", suffix=".pem") as ca:
            ca.write(params["ca"])
            ca.flush()
            self.context = ssl.create_default_context(cafile=ca.name)

    def connect(
        self, timeout: float = 15, source: tuple[str, int] | None = None
    ) -> http.client.HTTPSConnection:
        """Return an HTTPS connection that offers the API's host name."""
        raw = socket.create_connection(
            (self.params["address"], self.params["https_port"]), timeout=timeout, source_address=source
        )
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection = http.client.HTTPSConnection(self.params["host"], timeout=timeout)
        connection.sock = self.context.wrap_socket(raw, server_hostname=self.params["host"])
        return connection


def run_step(step: Callable[[Any], Outcome], client: EdgeClient) -> tuple[dict[str, Any], dict[str, Any]]:
    """Run one step; a connection that fails is the step's failure, not the module's."""
    started = time.monotonic()
    extra: dict[str, Any] = {}
    try:
        ok, detail, extra = step(client)
    except (OSError, ssl.SSLError, http.client.HTTPException, ValueError, KeyError) as error:
        ok, detail = False, f"{type(error).__name__}: {error}"
    latency = round((time.monotonic() - started) * 1000, 1)
    told = {"name": step.__name__, "ok": ok, "detail": detail, "latency_ms": latency, "what": step.__doc__}
    return told, extra
