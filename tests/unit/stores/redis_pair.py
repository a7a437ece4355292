"""Two real servers on loopback, as the role's templates configure and start them."""

from __future__ import annotations

import datetime as dt
import ipaddress
import socket
import subprocess
import time
from pathlib import Path
from typing import Any

import jinja2
import redis
from ansible.plugins.filter.core import get_hash
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from rackwright.site.paths import repository_root
from rackwright.sizing.redis import size_redis

TEMPLATES = repository_root() / "roles/redis/templates"
ADDRESSES = {"one": "127.0.0.2", "two": "127.0.0.3"}
ADMIN, APP, COPIES = "admin-" + "a" * 20, "app-" + "p" * 20, "copies-" + "r" * 20
# For a machine with much else to do.
SECONDS = 60
SCRIPTS = ("redis-cli", "redis-reload", "redis-follow", "redis-promote")


class Host:
    """One of the two: its directory stands for the places of a host."""

    def __init__(self, name: str, place: Path, port: int, authority: Path) -> None:
        self.address, self.port = ADDRESSES[name], port
        self._place, self._authority = place, authority
        self._server: subprocess.Popen[bytes] | None = None
        for part in ("etc", "data", "lib"):
            (place / part).mkdir(parents=True)

    def configure(self, leader: str) -> None:
        """Write what the role writes where `leader` is the one that leads."""
        follows = {} if leader == self.address else {"address": leader, "port": self.port}
        given: dict[str, Any] = {
            "ansible_managed": "managed",
            "redis_budget": {"memory_mb": 128, "cpus": 1},
            "redis_parameters": size_redis(128, 1, copied=True).values(),
            "redis_maxmemory_policy": "noeviction",
            "redis_listen_address": self.address,
            "redis_port": self.port,
            "redis_tls_ca": str(self._authority / "cert.pem"),
            "redis_tls_directory": str(self._authority),
            "redis_databases": 16,
            "redis_admin_password": ADMIN,
            "redis_users": [{"name": "app", "password": APP, "keys": ["rackwright:*"]}],
            "redis_replication_password": COPIES,
            "redis_replica_of": follows,
            "__redis_replicated": True,
            "__redis_replication": "/etc/redis/replication.conf",
            "__redis_promotion_seconds": SECONDS,
            "__redis_commands": ["+@all", "-@admin", "-@dangerous"],
        }
        for name in ("redis.conf", "users.acl", "replication.conf"):
            (self._place / "etc" / name).write_text(self._rendered(f"etc/redis/{name}.j2", given))
        (self._place / "etc/admin.password").write_text(ADMIN)
        for name in SCRIPTS:
            path = self._place / "lib" / name
            path.write_text(self._rendered(f"usr/local/lib/rackwright/{name}.j2", given))
            path.chmod(0o755)

    def _rendered(self, template: str, given: dict[str, Any]) -> str:
        given_or_fail = {"undefined": jinja2.StrictUndefined, "autoescape": False}
        world = jinja2.Environment(trim_blocks=True, keep_trailing_newline=True, **given_or_fail)  # noqa: S701
        world.filters["hash"] = get_hash
        text = world.from_string((TEMPLATES / template).read_text(encoding="utf-8")).render(given)
        places = {
            f"bind {self.address} 127.0.0.1": f"bind {self.address}",
            "/etc/redis": "etc",
            "/run/redis/redis-server.sock": "socket",
            "/run/redis/redis-server.pid": "pid",
            "/var/lib/redis": "data",
            "/var/log/redis/redis-server.log": "log",
            "/usr/local/lib/rackwright": "lib",
        }
        for path, beside in places.items():
            text = text.replace(path, beside if path.startswith("bind") else str(self._place / beside))
        return text

    def start(self) -> None:
        """Start the server, and wait until it answers."""
        self._server = subprocess.Popen(["redis-server", str(self._place / "etc/redis.conf")])
        ends = time.monotonic() + SECONDS
        while self.run("redis-cli", "ping").stdout.strip() != "PONG":
            assert time.monotonic() < ends, (self._place / "log").read_text()
            time.sleep(0.05)

    def kill(self) -> None:
        """End it as a crash would."""
        if self._server is not None:
            self._server.kill()
            self._server.wait()

    def run(self, script: str, *words: str) -> subprocess.CompletedProcess[str]:
        """Run one of the host's scripts."""
        command = [str(self._place / "lib" / script), *words]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=2 * SECONDS)

    def ask(self, *words: str) -> str:
        """Send a command as the host's own user."""
        return self.run("redis-cli", *words).stdout.strip()

    def replication(self) -> dict[str, str]:
        """Return what the server says of its place."""
        return dict(
            line.split(":", 1) for line in self.ask("info", "replication").splitlines() if ":" in line
        )

    def await_copying(self) -> None:
        """Wait until it hears from the one that it follows."""
        ends = time.monotonic() + SECONDS
        while self.replication().get("master_link_status") != "up":
            assert time.monotonic() < ends, (self._place / "log").read_text()
            time.sleep(0.05)

    def client(self, user: str = "app", password: str = APP) -> redis.Redis:
        """Connect as a program does, over TLS."""
        return redis.Redis(
            host=self.address,
            port=self.port,
            username=user,
            password=password,
            ssl=True,
            ssl_ca_certs=str(self._authority / "cert.pem"),
            decode_responses=True,
            socket_timeout=15,
        )

    def file(self, name: str) -> Path:
        """Return a file of its data."""
        return self._place / "data" / name


def pair(place: Path) -> tuple[Host, Host]:
    """Make two hosts, of which the first leads, and start them."""
    authority = place / "tls"
    authority.mkdir()
    _issue(authority)
    with socket.create_server((ADDRESSES["one"], 0)) as free:
        port = int(free.getsockname()[1])
    hosts = Host("one", place / "one", port, authority), Host("two", place / "two", port, authority)
    for host in hosts:
        host.configure(ADDRESSES["one"])
        host.start()
    hosts[1].await_copying()
    return hosts


def _issue(directory: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "stores.test")])
    names = [x509.IPAddress(ipaddress.ip_address(address)) for address in ADDRESSES.values()]
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (directory / "key.pem").write_bytes(private)
    (directory / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
