"""Whether the five services of the converge benchmark serve; a side that only looks done is not counted."""

from __future__ import annotations

import socket
import ssl
from dataclasses import dataclass

from rackwright.bench.remote import Remote
from rackwright.errors import RackwrightError

_TIMEOUT_SECONDS = 5.0
# A port that only the firewall keeps closed to the control node.
_CLOSED_PORT = 5432
_CLOSED_SECONDS = 1.0

_ON_THE_HOST = """\
set -euo pipefail
cd /
runuser -u postgres -- psql -XtAc 'select 1' -d ai_platform
/usr/local/lib/rackwright/redis-ping
python3 -c '
import ssl, sys, urllib.request
trust = ssl._create_unverified_context()
page = urllib.request.urlopen(f"https://{sys.argv[1]}:9100/metrics", context=trust, timeout=5).read()
print("metrics" if b"node_uname_info" in page else "none")
' "$(hostname -I | cut -d " " -f 1)"
"""
_EXPECTED = ["1", "PONG", "metrics"]


@dataclass(frozen=True)
class Answer:
    """Status line and headers of an HTTP answer."""

    head: str

    @property
    def status(self) -> int:
        """The status, 0 when it was no HTTP."""
        words = self.head.split(" ", 2)
        return int(words[1]) if len(words) > 1 and words[1].isdigit() else 0

    @property
    def from_nginx(self) -> bool:
        """Whether nginx says that it answered."""
        return "\r\nserver: nginx" in self.head.lower()


def require_serving(remote: Remote) -> None:
    """Ask all services, each by its own interface.

    Raises:
        RackwrightError: One does not serve, or the firewall is open.
    """
    said = remote.text(_ON_THE_HOST).split()
    if said != _EXPECTED:
        raise RackwrightError(f"void: PostgreSQL, Redis, node exporter said {said}, not {_EXPECTED}")
    address = str(remote.host.address)
    redirect, page = ask(address, 80, tls=False), ask(address, 443, tls=True)
    if not redirect.from_nginx or redirect.status not in {301, 308}:
        raise RackwrightError(f"void: port 80 does not redirect: {redirect.head[:80]!r}")
    if not page.from_nginx:
        raise RackwrightError(f"void: nginx does not answer at port 443: {page.head[:80]!r}")
    try:
        socket.create_connection((address, _CLOSED_PORT), _CLOSED_SECONDS).close()
    except OSError:
        return
    raise RackwrightError(f"void: the firewall lets the control node in at port {_CLOSED_PORT}")


def ask(address: str, port: int, *, tls: bool) -> Answer:
    """Return the head of an answer; the certificate is not verified, each side has its own authority."""
    try:
        with socket.create_connection((address, port), _TIMEOUT_SECONDS) as plain:
            if not tls:
                return _ask(plain)
            context = ssl.create_default_context()
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            with context.wrap_socket(plain, server_hostname=_NAME) as secure:
                return _ask(secure)
    except OSError as error:
        raise RackwrightError(f"void: nothing answers at {address}:{port}: {error}") from error


_NAME = "api.lab.rackwright.internal"


def _ask(connection: socket.socket) -> Answer:
    connection.sendall(f"GET /health HTTP/1.1\r\nHost: {_NAME}\r\nConnection: close\r\n\r\n".encode())
    received = b""
    while b"\r\n\r\n" not in received and (block := connection.recv(4096)):
        received += block
    return Answer(received.partition(b"\r\n\r\n")[0].decode("latin-1"))
