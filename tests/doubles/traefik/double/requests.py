"""A request as routers and middlewares see it: its path in one spelling, headers as they are believed."""

from __future__ import annotations

import ipaddress
import posixpath
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from http import HTTPStatus

from double.wire import Body, Headers, RefusedError

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_UNRESERVED = re.compile(r"[A-Za-z0-9._~-]")
_ENCODED = re.compile(r"%([0-9A-Fa-f]{2})")
_SENT = ("for", "host", "port", "proto", "server", "uri", "method", "prefix", "tls-client-cert")
MANAGED = frozenset(
    {*(f"x-forwarded-{name}" for name in _SENT), "x-real-ip", "x-scheme", "x-forwarded-scheme"}
)
# Encoded characters of a path that an entry point may refuse.
CHARACTERS = {
    "allowEncodedSlash": "%2F",
    "allowEncodedBackSlash": "%5C",
    "allowEncodedNullCharacter": "%00",
    "allowEncodedSemicolon": "%3B",
    "allowEncodedPercent": "%25",
    "allowEncodedQuestionMark": "%3F",
    "allowEncodedHash": "%23",
}


@dataclass
class Request:
    """One request.

    Attributes:
        method: Its method.
        path: Normalised and cleaned, what is encoded and reserved still encoded.
        query: Behind the question mark, as it came.
        protocol: HTTP/1.1 or HTTP/1.0.
        headers: As middlewares have changed them.
        host: Without its port.
        remote: Address and port of who connected.
        body: What it carries.
        tls: The version that is spoken; empty without TLS.
        options: Name of the TLS options that the handshake was made with.
        attempts: How often a server that is not reached may still be asked again.
    """

    method: str
    path: str
    query: str
    protocol: str
    headers: Headers
    host: str
    remote: tuple[str, int]
    body: Body
    tls: str = ""
    options: str = ""
    attempts: int = 0
    # For the access log.
    noted: dict[str, object] = field(default_factory=dict)

    def asking(self, path: str, names: Sequence[str]) -> Request:
        """Return a request for another path, with some of the headers and no body."""
        kept = Headers([pair for pair in self.headers if pair[0].lower() in {name.lower() for name in names}])
        kept.put("Host", self.headers.get("Host"))
        empty = Body(_NOTHING, 0, chunked=False)
        return replace(self, method="GET", path=path, query="", headers=kept, body=empty, attempts=0)

    def at(self, path: str) -> Request:
        """Return the same request for another path."""
        return replace(self, path=path)


class _Nothing:
    """No reader at all: a body of no length asks for none."""


_NOTHING: object = _Nothing()


def spelled(target: str, refused: Sequence[str]) -> tuple[str, str]:
    """Return path and query of a request's target in the one spelling that is compared and passed on.

    Raises:
        RefusedError: A fragment, a control character, an encoding that is none, or an encoded character
            that is refused.
    """
    path, _, query = target.partition("?")
    broken = re.search(r"[\x00-\x20\x7f]", target) or re.search(r"%(?![0-9A-Fa-f]{2})", path)
    if not path.startswith("/") or "#" in path or broken:
        raise RefusedError(HTTPStatus.BAD_REQUEST)

    def one(match: re.Match[str]) -> str:
        character = chr(int(match[1], 16))
        return character if _UNRESERVED.fullmatch(character) else match[0].upper()

    path = _ENCODED.sub(one, path)
    if any(code in path for code in refused):
        raise RefusedError(HTTPStatus.BAD_REQUEST)
    cleaned = posixpath.normpath(path) if path != "/" else "/"
    cleaned = f"/{cleaned.lstrip('/')}"
    return (f"{cleaned}/" if path.endswith(("/", "/.", "/..")) and cleaned != "/" else cleaned), query


def believed(
    headers: Headers, remote: tuple[str, int], trusted: Sequence[Network], *, tls: bool, strategy: str
) -> None:
    """Change a request's headers as an entry point does: what a stranger says of the client goes."""
    if strategy == "delete":
        headers.pairs = [pair for pair in headers.pairs if "_" not in pair[0]]
    if not any(ipaddress.ip_address(remote[0]) in network for network in trusted):
        headers.pairs = [pair for pair in headers.pairs if pair[0].lower().replace("_", "-") not in MANAGED]
    host = headers.get("Host")
    given = {
        "X-Real-Ip": remote[0],
        "X-Forwarded-Proto": "https" if tls else "http",
        "X-Forwarded-Host": host,
    }
    given["X-Forwarded-Port"] = host.rpartition(":")[2] if ":" in host else ("443" if tls else "80")
    for name, value in given.items():
        if not headers.get(name):
            headers.put(name, value)
    hops = headers.all("X-Forwarded-For")
    if hops:
        headers.put("X-Forwarded-For", ", ".join(hops))
    headers.put("X-Forwarded-Server", "double")
    upgrade = headers.get("Upgrade") if headers.has("Connection", "upgrade") else ""
    for value in headers.all("Connection"):
        for name in value.split(","):
            if name.strip() and name.strip().lower() not in MANAGED:
                headers.drop(name.strip())
    headers.drop("Connection")
    if upgrade:
        headers.put("Connection", "Upgrade")
        headers.put("Upgrade", upgrade)
