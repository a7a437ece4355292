"""PostgreSQL on the target: SCRAM verifiers, quoting, and psql as the superuser through the local socket."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import secrets
from pathlib import Path
from typing import Any

ITERATIONS = 4096
SALT_BYTES = 16
_NAME = re.compile(r"[a-z_][a-z0-9_-]{0,62}")
_VERIFIER = re.compile(r"SCRAM-SHA-256\$(\d+):([A-Za-z0-9+/=]+)\$([A-Za-z0-9+/=]+):([A-Za-z0-9+/=]+)")
# Keeps what we send out of the server's log and of pg_stat_statements: it holds verifiers.
_PREAMBLE = (
    "SET log_statement = 'none'; SET log_min_duration_statement = -1; "
    "SET log_min_error_statement = 'panic'; SET pg_stat_statements.track = 'none';\n"
)


class PostgresqlError(Exception):
    """What psql or the server said; never holds what was sent."""


def scram_verifier(password: str, salt: bytes, iterations: int = ITERATIONS) -> str:
    """Return what PostgreSQL stores for a password (RFC 5802, printable ASCII only)."""
    salted = hashlib.pbkdf2_hmac("sha256", password.encode("ascii"), salt, iterations)
    client_key = hmac.digest(salted, b"Client Key", "sha256")
    stored_key = hashlib.sha256(client_key).digest()
    server_key = hmac.digest(salted, b"Server Key", "sha256")
    encoded = [base64.b64encode(part).decode() for part in (salt, stored_key, server_key)]
    return f"SCRAM-SHA-256${iterations}:{encoded[0]}${encoded[1]}:{encoded[2]}"


def new_verifier(password: str) -> str:
    """Return a verifier with a fresh salt."""
    return scram_verifier(password, secrets.token_bytes(SALT_BYTES))


def same_password(password: str, stored: str | None) -> bool:
    """Whether the stored verifier was made from the password: computed again with its own salt."""
    match = _VERIFIER.fullmatch(stored or "")
    if match is None:
        return False
    again = scram_verifier(password, base64.b64decode(match.group(2)), int(match.group(1)))
    return hmac.compare_digest(again, match.group(0))


def is_name(value: str) -> bool:
    """Whether a value is a name that needs no quoting rules to be understood."""
    return _NAME.fullmatch(value) is not None


def identifier(name: str) -> str:
    """Quote a name for SQL."""
    return '"' + name.replace('"', '""') + '"'


def literal(value: str) -> str:
    """Quote a text for SQL (standard_conforming_strings is on by default since 9.1)."""
    return "'" + value.replace("'", "''") + "'"


class Server:
    """A running cluster, spoken to as the superuser `postgres` through its own socket.

    Attributes:
        port: The port that names the socket.
        socket_directory: Where the socket is.
    """

    def __init__(self, module: Any, port: int, socket_directory: str) -> None:  # noqa: ANN401
        self._module = module
        self.port = port
        self.socket_directory = socket_directory

    def run(self, sql: str, database: str = "postgres") -> str:
        """Send SQL on psql's standard input and return what it printed.

        Raises:
            PostgresqlError: What psql said, without what it was sent.
        """
        # setpriv changes the user with no PAM session, which costs a tenth of a second on a full system.
        command = ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", "--"]
        command += ["psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-v", "VERBOSITY=terse"]
        command += ["-h", self.socket_directory, "-p", str(self.port), "-U", "postgres", "-d", database]
        status, out, error = self._module.run_command([*command, "-f", "-"], data=_PREAMBLE + sql, cwd="/")
        if status != 0:
            raise PostgresqlError(" ".join(error.split()) or f"psql ended with status {status}")
        return str(out)

    def ask(self, sql: str, database: str = "postgres") -> Any:  # noqa: ANN401
        """Run a query that returns one JSON value, and return the value."""
        return json.loads(self.run(sql, database))


def running_server(module: Any, data_directory: str) -> Server | None:  # noqa: ANN401
    """Return the cluster that runs on a data directory, None when none does."""
    try:
        # pid, data directory, start time, port, socket directory, address, shared memory, state
        lines = (Path(data_directory) / "postmaster.pid").read_text().splitlines()
        pid, port, socket_directory, state = int(lines[0]), int(lines[3]), lines[4], lines[7].strip()
    except (OSError, ValueError, IndexError):
        return None
    if state != "ready" or not Path(f"/proc/{pid}").exists():
        return None
    return Server(module, port, socket_directory)
