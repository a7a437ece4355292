"""Programs of the host, and Docker's socket."""

from __future__ import annotations

import http.client
import json
import socket
import subprocess
from collections.abc import Sequence
from typing import Any

PATH = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"}
DOCKER = "/run/docker.sock"


class UnavailableError(Exception):
    """What was asked does not answer."""


def run(command: Sequence[str], seconds: float = 10.0, good: Sequence[int] = (0,)) -> str:
    """Return what a program prints.

    Raises:
        UnavailableError: It is not there, takes too long, or ends with another status than the good ones.
    """
    try:
        done = subprocess.run(
            list(command), capture_output=True, text=True, errors="replace", timeout=seconds, check=False,
            stdin=subprocess.DEVNULL, env=PATH, cwd="/",
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UnavailableError(f"{command[0]}: {error}") from error
    if done.returncode not in good:
        raise UnavailableError(f"{command[0]}: {done.returncode}: {done.stderr.strip()[:200]}")
    return done.stdout


class _Docker(http.client.HTTPConnection):
    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(DOCKER)


def ask_docker(path: str, seconds: float = 5.0) -> Any:  # noqa: ANN401 - whatever Docker says
    """Return Docker's answer to a GET.

    Raises:
        UnavailableError: Docker does not answer, or not with 200.
    """
    connection = _Docker("docker", timeout=seconds)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        body = answer.read()
        if answer.status != http.client.OK:
            raise UnavailableError(f"docker: {path}: {answer.status}")
        return json.loads(body)
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise UnavailableError(f"docker: {error}") from error
    finally:
        connection.close()
