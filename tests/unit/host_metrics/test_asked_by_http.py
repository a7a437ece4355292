"""What our collector says of programs that it asks over HTTP, and that do not answer."""

from __future__ import annotations

import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from rackwright.host_metrics.commands import UnavailableError
from rackwright.host_metrics.logstash import logstash
from rackwright.host_metrics.ollama import ollama


class Unwell(BaseHTTPRequestHandler):
    """Answers as a server that is starting."""

    def do_GET(self) -> None:
        self.send_error(503)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Keep still."""


@pytest.mark.parametrize("collector", [logstash, ollama], ids=lambda one: one.__name__)
def test_one_that_does_not_answer_is_told_as_unavailable(collector: Callable[[str, int], object]) -> None:
    server = HTTPServer(("127.0.0.1", 0), Unwell)
    threading.Thread(target=server.handle_request, daemon=True).start()
    with pytest.raises(UnavailableError, match="503"):
        collector("127.0.0.1", server.server_port)
    server.server_close()
    with pytest.raises(UnavailableError, match=collector.__name__):
        collector("127.0.0.1", server.server_port)
