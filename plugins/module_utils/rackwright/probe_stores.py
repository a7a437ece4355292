"""How stores are asked, each in its own protocol and over TLS; used by the module service_probe."""

from __future__ import annotations

import socket
import struct
from typing import Any

from ansible.module_utils.rackwright.probe_base import (
    Answer,
    Context,
    ProbeError,
    certificate_days,
    connect,
    run,
    secure,
)

SSL_REQUEST = 80877103
# Bits of what both sides of MySQL's protocol can do: TLS; today's protocol and its way of passwords.
MYSQL_TLS, MYSQL_SPEAKS = 0x800, 0x8200
# {hello: 1, $db: "admin"} in BSON, in a message (OP_MSG) of MongoDB's protocol.
_FIELDS = b"\x10hello\0\1\0\0\0\x02$db\0\6\0\0\0admin\0\0"
MONGODB_HELLO = struct.pack("<iiiiIBi", 25 + len(_FIELDS), 1, 0, 2013, 0, 0, 4 + len(_FIELDS)) + _FIELDS


def ask_postgresql(check: dict[str, Any], context: Context) -> Answer:
    """The server's certificate is good where others come in, and it answers SQL."""
    connection = connect(check, context)
    with connection:
        connection.sendall(struct.pack("!II", 8, SSL_REQUEST))
        if connection.recv(1) != b"S":
            raise ProbeError("it refuses TLS")
        with secure(connection, check, context) as tls:
            days = certificate_days(tls)
    run(["pg_isready", "-q", "-h", check["address"], "-p", str(check["port"])], context)
    # By the local socket: no password is needed, so none is at hand to leak.
    command = ["runuser", "-u", "postgres", "--", "psql", "-p", str(check["port"]), "-XtAc", "select 1"]
    answer = run(command, context).strip()
    if answer != "1":
        raise ProbeError(f"select 1 answers {answer!r}")
    return Answer("answers SQL", days)


def ask_mariadb(check: dict[str, Any], context: Context) -> Answer:
    """The server's certificate is good where others come in, and it answers SQL."""
    with connect(check, context) as plain:
        greeting = packet(plain)
        # The protocol's version, the server's, the connection's number, half a nonce; then what it can do.
        after = greeting.index(b"\0", 1) + 1 + 4 + 8 + 1
        (able,) = struct.unpack_from("<H", greeting, after)
        if not able & MYSQL_TLS:
            raise ProbeError("it refuses TLS")
        plain.sendall(struct.pack("<IIIB23x", 32 | 1 << 24, MYSQL_TLS | MYSQL_SPEAKS, 1 << 24, 45))
        with secure(plain, check, context) as tls:
            days = certificate_days(tls)
    # By the local socket, where root needs no password.
    command = ["mariadb", "--no-defaults", "--user=root", "-NBe", "select 1"]
    answer = run(command, context).strip()
    if answer != "1":
        raise ProbeError(f"select 1 answers {answer!r}")
    return Answer("answers SQL", days)


def packet(connection: socket.socket) -> bytes:
    """One packet of MySQL's protocol: three bytes of length, a number, and the rest."""
    with connection.makefile("rb") as stream:
        head = stream.read(4)
        body = stream.read(int.from_bytes(head[:3], "little")) if head else b""
    if body[:1] != b"\x0a":
        raise ProbeError(f"it greets with {body[3:200]!r}" if body else "it says nothing")
    return body


def ask_mongodb(check: dict[str, Any], context: Context) -> Answer:
    """It says in TLS that it takes writes; anybody may ask that much."""
    with connect(check, context) as plain, secure(plain, check, context) as tls:
        days = certificate_days(tls)
        tls.sendall(MONGODB_HELLO)
        with tls.makefile("rb") as stream:
            head = stream.read(4)
            answer = stream.read(int.from_bytes(head, "little") - 4) if len(head) == 4 else b""  # noqa: PLR2004
    if b"\x08isWritablePrimary\0\x01" not in answer:
        raise ProbeError("it takes no writes" if b"isWritablePrimary" in answer else "it answers no hello")
    return Answer("takes writes", days)


def ask_redis(check: dict[str, Any], context: Context) -> Answer:
    """It answers PING in TLS; with an account, after authentication."""
    with connect(check, context) as plain, secure(plain, check, context) as tls:
        days = certificate_days(tls)
        with tls.makefile("rb") as answers:
            if context.redis_password:
                account = [context.redis_username] if context.redis_username else []
                tls.sendall(resp("AUTH", *account, context.redis_password))
                greeting = answers.readline().decode("utf-8", "replace").strip()
                if greeting != "+OK":
                    raise ProbeError(f"it refuses the account: {greeting}")
            tls.sendall(resp("PING"))
            answer = answers.readline().decode("utf-8", "replace").strip()
    if answer == "+PONG":
        return Answer("answers PING", days)
    if answer.startswith("-NOAUTH") and not context.redis_password:
        return Answer("answers, and asks for an account", days)
    raise ProbeError(f"PING answers {answer!r}")


def resp(*words: str) -> bytes:
    """A command in Redis' protocol."""
    parts = [word.encode() for word in words]
    return b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts)
