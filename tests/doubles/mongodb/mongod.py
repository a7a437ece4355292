"""A double of MongoDB's server: its configuration file, its protocol over TLS, its users and rights.

No program of MongoDB is in it. It refuses a configuration that has an option which the manual does not
document, or a value that the server would not start with.
"""

from __future__ import annotations

import signal
import socketserver
import ssl
import sys
from pathlib import Path
from typing import Any

import yaml
from commands import Caller, Server
from common import documented, fail, say
from kept import Store
from wire import serve

LEAST_CACHE_GB, MOST_CACHE_GB = 0.25, 10_000


class Mongod(Server, socketserver.ThreadingTCPServer):
    """The server."""

    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 128

    def __init__(self, settings: dict[str, Any]) -> None:
        Server.__init__(self, Store(Path(settings["storage.dbPath"])))
        self.settings = settings
        self.trust = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.load_certificate()
        address = (str(settings.get("net.bindIp", "127.0.0.1")), int(settings.get("net.port", 27017)))
        socketserver.ThreadingTCPServer.__init__(self, address, Connection)

    def load_certificate(self) -> None:
        """Take in the certificate that is there now; who is connected keeps the other."""
        fresh = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        fresh.load_cert_chain(self.settings["net.tls.certificateKeyFile"])
        if authority := self.settings.get("net.tls.CAFile"):
            fresh.load_verify_locations(authority)
            free = self.settings.get("net.tls.allowConnectionsWithoutCertificates")
            fresh.verify_mode = ssl.CERT_OPTIONAL if free else ssl.CERT_REQUIRED
        fresh.minimum_version = ssl.TLSVersion.TLSv1_2
        self.trust = fresh

    def say(self, message: str) -> None:
        """Write a line to the container's log."""
        say(message)


class Connection(socketserver.BaseRequestHandler):
    """One caller."""

    server: Mongod

    def handle(self) -> None:
        """Speak with it until it goes."""
        try:
            self.request.settimeout(30)
            with self.server.trust.wrap_socket(self.request, server_side=True) as tls:
                tls.settimeout(None)
                serve(tls, Caller(self.server, self.client_address[0]).answer)
        except (OSError, EOFError):
            return


def flat(document: Any, prefix: str = "") -> dict[str, Any]:  # noqa: ANN401
    """Return settings by their dotted names; what is in setParameter has names of its own."""
    if not isinstance(document, dict):
        fail(f"{prefix or 'the configuration'} is no mapping")
    found: dict[str, Any] = {}
    for key, value in document.items():
        name = f"{prefix}{key}"
        found |= flat(value, f"{name}.") if isinstance(value, dict) else {name: value}
    return found


def read(path: str) -> dict[str, Any]:
    """Read a configuration as strictly as the server does."""
    settings = flat(yaml.safe_load(Path(path).read_text(encoding="utf-8")))
    known = documented("mongod")
    for name, value in settings.items():
        kind = known["options"].get(name) or known["parameters"].get(name.removeprefix("setParameter."))
        if kind is None:
            fail(f"Unrecognized option: {name}")
        right = {"number": (int, float), "truth": (bool,), "text": (str,)}.get(str(kind))
        if right is not None and type(value) not in right:
            fail(f"Unable to parse {name}: {value!r} is no {kind}")
        if isinstance(kind, list) and value not in kind:
            fail(f"{name} must be one of {kind}, not {value!r}")
    cache = settings.get("storage.wiredTiger.engineConfig.cacheSizeGB", LEAST_CACHE_GB)
    if not LEAST_CACHE_GB <= cache <= MOST_CACHE_GB:
        fail(f"cacheSizeGB must be {LEAST_CACHE_GB} to {MOST_CACHE_GB}, not {cache}")
    if settings.get("net.tls.mode") != "requireTLS" or settings.get("security.authorization") != "enabled":
        fail("this double runs with TLS and authorization alone")
    if settings.get("setParameter.authenticationMechanisms") != "SCRAM-SHA-256":
        fail("this double knows no mechanism but SCRAM-SHA-256")
    return settings


def main() -> None:
    """Run."""
    match sys.argv[2:]:
        case ["--config", path]:
            settings = read(path)
        case words:
            fail(f"this double is started with --config, not {words}")
    try:
        server = Mongod(settings)
    except (OSError, ssl.SSLError) as error:
        fail(f"it cannot start: {error}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    say(f"Waiting for connections on port {server.server_address[1]}")
    server.serve_forever()


if __name__ == "__main__":
    main()
