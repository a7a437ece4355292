"""What every question of the module service_probe is made of: what it knows, a connection, TLS, a program."""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SECONDS_PER_DAY = 86400


class ProbeError(Exception):
    """A service that does not answer as it must; the text says what it did."""


@dataclass(frozen=True)
class Context:
    """What all checks of one call share: the authority's file, a time limit in seconds, accounts and keys.

    `edge_certificate` is the file with the certificate that the edge serves when it is not the authority's.
    """

    ca_path: str
    timeout: float
    redis_username: str = ""
    redis_password: str = ""
    model_key: str = ""
    edge_certificate: str = ""


@dataclass(frozen=True)
class Answer:
    """What a service said, and how many days its certificate is still valid."""

    detail: str
    certificate_days: int | None = None


def connect(check: dict[str, Any], context: Context) -> socket.socket:
    """A TCP connection to the check's address."""
    connection = socket.create_connection((check["address"], check["port"]), context.timeout)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def secure(connection: socket.socket, check: dict[str, Any], context: Context) -> ssl.SSLSocket:
    """The connection in TLS, verified against the site's authority and the name or address asked for."""
    if not Path(context.ca_path).is_file():
        connection.close()
        raise ProbeError(f"{context.ca_path} is missing: nothing to verify the certificate with")
    trust = ssl.create_default_context(cafile=context.ca_path)
    if shown := check.get("client_certificate"):
        directory = Path(context.ca_path).parent / shown
        trust.load_cert_chain(directory / "cert.pem", directory / "key.pem")
    # Who signed it need not be known here: the edge must serve the very certificate that it was given, for
    # the name asked for, and in time.
    if check.get("host") and context.edge_certificate and Path(context.edge_certificate).is_file():
        trust.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        trust.load_verify_locations(cafile=context.edge_certificate)
    return trust.wrap_socket(connection, server_hostname=check.get("host") or check["address"])


def certificate_days(connection: ssl.SSLSocket) -> int | None:
    """Whole days until the peer's certificate ends."""
    certificate = connection.getpeercert()
    if not certificate:
        return None
    ends = ssl.cert_time_to_seconds(str(certificate["notAfter"]))
    return int((ends - time.time()) // SECONDS_PER_DAY)


def run(command: list[str], context: Context) -> str:
    """A program's output.

    Raises:
        ProbeError: it is missing, fails or takes too long.
    """
    program = shutil.which(command[0], path="/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/sbin:/usr/local/bin")
    if program is None:
        raise ProbeError(f"{command[0]} is not installed")
    try:
        done = subprocess.run(
            [program, *command[1:]],
            capture_output=True,
            text=True,
            timeout=context.timeout,
            check=False,
            stdin=subprocess.DEVNULL,
            # Not the caller's directory: another user may not read it.
            cwd="/",
        )
    except subprocess.TimeoutExpired as error:
        raise ProbeError(f"{command[0]} does not end within {context.timeout:g} s") from error
    if done.returncode:
        words = (done.stderr or done.stdout).strip() or f"exit code {done.returncode}"
        raise ProbeError(f"{command[0]}: {words}")
    return done.stdout
