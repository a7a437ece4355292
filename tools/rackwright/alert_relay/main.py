"""The relay: takes what Alertmanager sends to 127.0.0.1, and hands it to a robot."""

from __future__ import annotations

import json
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import ThreadingTCPServer
from typing import Any

from rackwright.alert_relay.messages import RESULT, message

PORT = 9095
MOST_BYTES = 4 << 20
SECONDS = 10


class RefusedError(Exception):
    """The robot did not take the message; the text says why, and holds no secret."""


def send(robot: Mapping[str, str], told: Mapping[str, Any], now: float) -> None:
    """Hand what Alertmanager told to a robot.

    Raises:
        RefusedError: It cannot be reached, or says no.
    """
    wanted = message(robot, told, now)
    request = urllib.request.Request(  # noqa: S310 - the site's own address, http or https
        wanted.url, json.dumps(wanted.body).encode(), {"Content-Type": "application/json; charset=utf-8"}
    )
    try:
        with urllib.request.urlopen(request, timeout=SECONDS) as answer:  # noqa: S310 - as above
            said = json.loads(answer.read(MOST_BYTES) or b"{}")
    except (OSError, ValueError, urllib.error.URLError) as error:
        # The error's own text may hold the address, and so the key.
        raise RefusedError(f"{robot['kind']}: {type(error).__name__} {getattr(error, 'code', '')}") from error
    if said.get(RESULT[robot["kind"]], 0) != 0:
        raise RefusedError(f"{robot['kind']}: {said.get('errmsg') or said.get('msg') or said}")


class Handler(BaseHTTPRequestHandler):
    """POST /<receiver>: 200 when the robot took it, 502 when it did not, which Alertmanager tries again."""

    robots: Mapping[str, Mapping[str, str]] = {}

    def do_POST(self) -> None:
        """Take one notification."""
        robot = self.robots.get(self.path.strip("/"))
        length = int(self.headers.get("Content-Length") or 0)
        if robot is None or not 0 < length <= MOST_BYTES:
            self._answer(404 if robot is None else 413)
            return
        try:
            told = json.loads(self.rfile.read(length))
            send(robot, told, time.time())
        except RefusedError as error:
            sys.stderr.write(f"{self.path.strip('/')}: {error}\n")
            self._answer(502)
        except (ValueError, KeyError, IndexError, TypeError):
            self._answer(400)
        else:
            self._answer(200)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        """Say nothing of requests; Alertmanager counts them."""

    def _answer(self, status: int) -> None:
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()


class Server(ThreadingTCPServer):
    """Not that of http.server, which asks for the name of its address: in a closed site nobody answers."""

    allow_reuse_address = True
    daemon_threads = True


def main() -> None:
    """Read the robots from the file that the first argument names, and serve."""
    Handler.robots = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    Server(("127.0.0.1", PORT), Handler).serve_forever()
