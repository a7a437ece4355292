"""A double of MongoDB: its protocol (OP_MSG, and OP_QUERY for a first hello) and SCRAM-SHA-256 (RFC 5802)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import secrets
import struct
from collections.abc import Callable
from typing import Any, Protocol

import bson

Doc = dict[str, Any]
OP_REPLY, OP_QUERY, OP_MSG = 1, 2004, 2013
MECHANISM, ROUNDS = "SCRAM-SHA-256", 15000


class Stream(Protocol):
    """A connection."""

    def recv(self, size: int, /) -> bytes:
        """Read."""

    def sendall(self, data: bytes, /) -> None:
        """Write."""


class CommandError(Exception):
    """What the server answers instead: its number, name and words."""

    def __init__(self, code: int, name: str, message: str) -> None:
        super().__init__(message)
        self.document = {"ok": 0.0, "errmsg": message, "code": code, "codeName": name}


def _exactly(stream: Stream, size: int) -> bytes:
    found = b""
    while len(found) < size:
        part = stream.recv(size - len(found))
        if not part:
            raise EOFError
        found += part
    return found


def serve(stream: Stream, answer: Callable[[Doc], Doc]) -> None:
    """Answer messages until the caller goes."""
    while True:
        length, number, _, kind = struct.unpack("<iiii", _exactly(stream, 16))
        body = _exactly(stream, length - 16)
        if kind == OP_MSG:
            command, flags = _message(body)
            reply = bson.encode(answer(command))
            if flags & 2:  # the caller does not wait for an answer
                continue
            payload = struct.pack("<IB", 0, 0) + reply
            out = OP_MSG
        elif kind == OP_QUERY:
            start = body.index(b"\0", 4) + 1 + 8
            size = int.from_bytes(body[start : start + 4], "little")
            command = bson.decode(body[start : start + size])
            if next(iter(command)).lower() not in ("hello", "ismaster"):
                raise EOFError  # gone since 5.1
            payload = struct.pack("<iqii", 8, 0, 0, 1) + bson.encode(answer({**command, "$db": "admin"}))
            out = OP_REPLY
        else:
            raise EOFError
        stream.sendall(
            struct.pack("<iiii", 16 + len(payload), secrets.randbelow(1 << 30), number, out) + payload
        )


def _message(body: bytes) -> tuple[Doc, int]:
    (flags,) = struct.unpack_from("<I", body)
    end = len(body) - (4 if flags & 1 else 0)
    command: Doc = {}
    sequences: Doc = {}
    at = 4
    while at < end:
        kind, at = body[at], at + 1
        size = int.from_bytes(body[at : at + 4], "little")
        if kind == 0:
            command = bson.decode(body[at : at + size])
        else:
            name_end = body.index(b"\0", at + 4)
            name, inner, documents = body[at + 4 : name_end].decode(), name_end + 1, []
            while inner < at + size:
                length = int.from_bytes(body[inner : inner + 4], "little")
                documents.append(bson.decode(body[inner : inner + length]))
                inner += length
            sequences[name] = documents
        at += size
    return {**command, **sequences}, flags


def credentials(password: str) -> Doc:
    """Return what is kept of a password."""
    salt = os.urandom(28)
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, ROUNDS)
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")
    text = [base64.b64encode(part).decode() for part in (salt, stored, server)]
    kept = {"iterationCount": ROUNDS, "salt": text[0], "storedKey": text[1], "serverKey": text[2]}
    return {MECHANISM: kept}


class Conversation:
    """One try to get in."""

    def __init__(self, first: bytes, user_of: Callable[[str], Doc | None], *, short: bool) -> None:
        head, _, bare = first.decode().partition(",,")
        fields = dict(part.split("=", 1) for part in bare.split(","))
        if head != "n" or "n" not in fields or "r" not in fields:
            raise CommandError(18, "AuthenticationFailed", "Authentication failed.")
        self.name, self.short = fields["n"], short
        self.user = user_of(self.name)
        kept = (self.user or {}).get("credentials") or credentials(secrets.token_hex())
        self.kept = kept[MECHANISM]
        self.nonce = fields["r"] + secrets.token_hex(12)
        self.reply = f"r={self.nonce},s={self.kept['salt']},i={self.kept['iterationCount']}"
        self.signed = f"{bare},{self.reply}"
        self.done = False

    def last(self, payload: bytes) -> bytes:
        """Return the server's signature, where the caller has shown that it knows the password."""
        plain, _, shown = payload.decode().rpartition(",p=")
        signed = f"{self.signed},{plain}".encode()
        stored = base64.b64decode(self.kept["storedKey"])
        proof, signature = base64.b64decode(shown), hmac.digest(stored, signed, "sha256")
        key = bytes(one ^ other for one, other in zip(proof, signature, strict=True))
        right = plain.partition(",r=")[2] == self.nonce and hashlib.sha256(key).digest() == stored
        if not right or self.user is None:
            raise CommandError(18, "AuthenticationFailed", "Authentication failed.")
        verifier = hmac.digest(base64.b64decode(self.kept["serverKey"]), signed, "sha256")
        return b"v=" + base64.b64encode(verifier)
