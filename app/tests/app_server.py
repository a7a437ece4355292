"""Runs the app behind a real socket, in a thread of the test process."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

import uvicorn
from prometheus_client import REGISTRY

from rackwright_app.main import create_app
from rackwright_app.settings import Settings


class RunningApp:
    """One worker of the app."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._socket = socket.socket()
        self._socket.bind(("127.0.0.1", 0))
        config = uvicorn.Config(
            create_app(settings), log_config=None, proxy_headers=False, ws="none", timeout_graceful_shutdown=2
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, args=([self._socket],), daemon=True)
        self._thread.start()
        deadline = time.monotonic() + 10
        while not self._server.started:
            if time.monotonic() > deadline or not self._thread.is_alive():
                raise RuntimeError("the app did not start")
            time.sleep(0.01)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._socket.getsockname()[1]}"

    def stop(self) -> None:
        """Stops it as SIGTERM would."""
        self._server.should_exit = True
        self._thread.join(15)
        self._socket.close()

    def audit_lines(self) -> list[dict[str, Any]]:
        """Returns what the audit file holds."""
        path = self.settings.audit.path
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def figure(name: str, **labels: str) -> float:
    """Returns a figure of the app, 0 when nothing was counted yet."""
    return REGISTRY.get_sample_value(f"rackwright_app_{name}", labels) or 0.0


def eventually(holds: Callable[[], bool], seconds: float = 5) -> None:
    """Waits until a condition holds.

    Raises:
        AssertionError: It does not hold in time.
    """
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "the condition did not come true in time"
        time.sleep(0.02)
