"""Entry points: connections, handshakes by the name that is asked for, requests one after the other."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import socket
import ssl
import time
from collections.abc import Callable, Mapping
from typing import Any

from double.chain import seconds
from double.observed import AccessLog, Metrics
from double.requests import CHARACTERS, Request, believed, spelled
from double.routed import Routed, nothing
from double.wire import LEFT_OVER, Answer, Body, Headers, RefusedError, framed, head, reason, rendered, say

_PEEKED = 16_640
_UNRECOGNISED_NAME = b"\x15\x03\x01\x00\x02\x02\x70"
_LINGER = 2.0
# TLS's own numbers for what it does not agree to (RFC 8446, 6).
_PROTOCOL_VERSION, _HANDSHAKE_FAILURE, _CERTIFICATE_REQUIRED = 70, 40, 116
_REASONS = {
    "UNSUPPORTED_PROTOCOL": _PROTOCOL_VERSION,
    "PEER_DID_NOT_RETURN_A_CERTIFICATE": _CERTIFICATE_REQUIRED,
}


class EntryPoint:
    """One address that is listened on."""

    def __init__(
        self,
        name: str,
        settings: Mapping[str, Any],
        routed: Callable[[], Routed],
        log: AccessLog,
        metrics: Metrics,
        fixed: Callable[[Request, Answer], Any] | None = None,
    ) -> None:
        self.name, self._routed, self._log, self._metrics, self._fixed = name, routed, log, metrics, fixed
        address, _, port = str(settings["address"]).rpartition(":")
        self.address = (address.strip("[]") or "0.0.0.0", int(port))  # noqa: S104 - Traefik's own default
        timeouts = (settings.get("transport") or {}).get("respondingTimeouts") or {}
        self._read = seconds(timeouts.get("readTimeout") or "60s")
        self._idle = seconds(timeouts.get("idleTimeout") or "180s")
        http = settings.get("http") or {}
        self._most = int(http.get("maxHeaderBytes") or 1 << 20) + 4096
        allowed = http.get("encodedCharacters") or {}
        self._refused = [code for key, code in CHARACTERS.items() if not allowed.get(key, True)]
        self._strategy = http.get("underscoreHeadersStrategy") or "keep"
        trusted = (settings.get("forwardedHeaders") or {}).get("trustedIPs") or []
        self._trusted = [ipaddress.ip_network(network) for network in trusted]
        observed = settings.get("observability") or {}
        self._logged, self._counted = observed.get("accessLogs", True), observed.get("metrics", True)
        self.open: set[asyncio.Task[None]] = set()
        self.busy = 0
        self.socket: socket.socket | None = None

    def listen(self) -> None:
        family = socket.AF_INET6 if ":" in self.address[0] else socket.AF_INET
        self.socket = socket.socket(family)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.address)
        self.socket.listen(1024)
        self.socket.setblocking(False)

    async def serve(self) -> None:
        """Take connections until the socket is closed."""
        loop = asyncio.get_running_loop()
        assert self.socket is not None
        while True:
            connection, remote = await loop.sock_accept(self.socket)
            task = asyncio.create_task(self._connected(connection, (remote[0], remote[1])))
            self.open.add(task)
            task.add_done_callback(self.open.discard)

    async def _connected(self, connection: socket.socket, remote: tuple[str, int]) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._metrics.open[self.name] += 1
        try:
            with contextlib.suppress(OSError, TimeoutError, ConnectionError, asyncio.IncompleteReadError):
                await self._served(connection, remote)
        finally:
            self._metrics.open[self.name] -= 1

    async def _served(self, connection: socket.socket, remote: tuple[str, int]) -> None:
        loop, deadline = asyncio.get_running_loop(), time.monotonic() + self._read
        reader = asyncio.StreamReader(limit=1 << 20)
        protocol = asyncio.StreamReaderProtocol(reader)
        try:
            async with asyncio.timeout(self._read):
                made = await self._handshake(connection)
                if made is None:
                    await loop.sock_sendall(connection, _UNRECOGNISED_NAME)
                    connection.close()
                    return
                context, options = made
                spare = connection.dup()
                try:
                    transport, _ = await loop.connect_accepted_socket(
                        lambda: protocol, connection, ssl=context
                    )
                except ssl.SSLError as error:
                    # asyncio hangs up without a word; TLS says why.
                    await loop.sock_sendall(spare, alert(error))
                    raise
                finally:
                    spare.close()
        except (OSError, TimeoutError):
            # Until a transport has it, and when it gives it back.
            connection.close()
            raise
        tls = transport.get_extra_info("ssl_object")
        version = tls.version() if isinstance(tls, (ssl.SSLObject, ssl.SSLSocket)) else ""
        writer = asyncio.StreamWriter(transport, protocol, reader, loop)
        try:
            while await self._exchange(reader, writer, remote, version or "", options, deadline):
                async with asyncio.timeout(self._idle):
                    if not await _more(reader):
                        break
                deadline = time.monotonic() + self._read
        finally:
            writer.close()
            with contextlib.suppress(OSError, TimeoutError):
                await writer.wait_closed()

    async def _handshake(self, connection: socket.socket) -> tuple[ssl.SSLContext | None, str] | None:
        """Return how TLS is spoken, and by whose options; None for a name that is not ours."""
        routers = self._routed().routers
        if not any(router.encrypted and self.name in router.entry_points for router in routers):
            return None, ""
        name = await _asked_for(connection)
        return self._routed().context(self.name, name, connection.getsockname()[0])

    async def _exchange(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        remote: tuple[str, int],
        version: str,
        options: str,
        deadline: float,
    ) -> bool:
        """Answer one request; return whether another may come."""
        try:
            async with asyncio.timeout(max(0.0, deadline - time.monotonic())):
                line, headers = await head(reader, self._most)
            request = self._request(line, headers, reader, remote, version, options)
        except RefusedError as error:
            text = f"{error.status} {reason(error.status)}"
            ends = Headers([("Content-Type", "text/plain; charset=utf-8"), ("Connection", "close")])
            writer.write(rendered(f"HTTP/1.1 {text}", ends) + text.encode())
            await writer.drain()
            await _linger(reader)
            return False
        request.body.deadline = deadline
        if headers.has("Expect", "100-continue"):
            request.body.wanted = writer
        answer = Answer(writer, reader, request.method)
        answer.close = headers.has("Connection", "close") or request.protocol == "HTTP/1.0"
        close = answer.close
        self.busy += 1
        try:
            await self._handled(request, answer)
        finally:
            self.busy -= 1
        if answer.hijacked or close:
            if not answer.hijacked and not request.body.done:
                await _linger(reader)
            return False
        read = 0
        while not request.body.done and read < LEFT_OVER:
            read += len(await request.body.read())
        if not request.body.done:
            await _linger(reader)
        return request.body.done

    def _request(
        self,
        line: str,
        headers: Headers,
        reader: asyncio.StreamReader,
        remote: tuple[str, int],
        version: str,
        options: str,
    ) -> Request:
        words = line.split(" ")
        if len(words) != 3 or words[2] not in {"HTTP/1.1", "HTTP/1.0"} or not words[0].isalpha():
            raise RefusedError(400)
        if len(headers.all("Host")) != 1:
            raise RefusedError(400)
        length, chunked = framed(headers, of_request=True)
        path, query = spelled(words[1], self._refused)
        host = headers.get("Host")
        name = host.partition(":")[0] if not host.startswith("[") else host.partition("]")[0][1:]
        body = Body(reader, length, chunked=chunked)
        return Request(words[0], path, query, words[2], headers, name, remote, body, version, options)

    async def _handled(self, request: Request, answer: Answer) -> None:
        began = time.monotonic()
        believed(
            request.headers, request.remote, self._trusted, tls=bool(request.tls), strategy=self._strategy
        )
        seen = request.headers.copy()
        router = None if self._fixed else self._routed().router(self.name, request)
        try:
            if self._fixed:
                await self._fixed(request, answer)
            elif router is None:
                await nothing(request, answer)
            elif router.encrypted and router.options != request.options:
                await say(answer, 421, "Misdirected Request\n")
            else:
                await router.handler(request, answer)
            await (answer.end() if not answer.hijacked else asyncio.sleep(0))
        except RefusedError as error:
            await say(answer, error.status, reason(error.status))
            await answer.end()
        finally:
            if self._counted:
                self._metrics.requests[self.name, request.method, str(answer.status)] += 1
            if self._logged and (router is None or router.logged):
                self._log.note(request, answer, began, seen)


def alert(error: ssl.SSLError) -> bytes:
    """Return the record that says why a handshake failed."""
    return bytes((21, 3, 1, 0, 2, 2, _REASONS.get(error.reason or "", _HANDSHAKE_FAILURE)))


async def _more(reader: asyncio.StreamReader) -> bool:
    """Wait until there is something to read; it stays where it is."""
    while not reader._buffer and not reader.at_eof():  # type: ignore[attr-defined]
        await reader._wait_for_data("idle")  # type: ignore[attr-defined]
    return not reader.at_eof()


async def _linger(reader: asyncio.StreamReader) -> None:
    """Read what still comes, for a moment: an answer before the end of a request is not lost by a reset."""
    with contextlib.suppress(TimeoutError, OSError):
        async with asyncio.timeout(_LINGER):
            while await reader.read(1 << 16):
                pass


async def _asked_for(connection: socket.socket) -> str:
    """Return the server name of a ClientHello, which stays unread."""
    connection.setblocking(False)
    while True:
        try:
            seen = connection.recv(_PEEKED, socket.MSG_PEEK)
        except BlockingIOError:
            seen = b" "
        if not seen:
            raise ConnectionResetError
        if len(seen) >= 5 and len(seen) >= min(_PEEKED, 5 + int.from_bytes(seen[3:5])):
            return server_name(seen[5:])
        await asyncio.sleep(0.005)


def server_name(hello: bytes) -> str:
    """Return the name that a ClientHello (RFC 8446) asks for; empty for none."""
    try:
        place = 38
        place += 1 + hello[place]
        place += 2 + int.from_bytes(hello[place : place + 2])
        place += 1 + hello[place]
        end = place + 2 + int.from_bytes(hello[place : place + 2])
        place += 2
        while place + 4 <= end:
            kind, length = (
                int.from_bytes(hello[place : place + 2]),
                int.from_bytes(hello[place + 2 : place + 4]),
            )
            if kind == 0:
                return hello[place + 9 : place + 4 + length].decode("ascii").lower()
            place += 4 + length
    except (IndexError, UnicodeDecodeError):
        pass
    return ""
