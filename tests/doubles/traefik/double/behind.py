"""Services: instances in turn or by the client's address, asked whether they work, spoken with by TLS."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import ssl
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from double.chain import Handler, WrongError, seconds
from double.requests import Request
from double.wire import BLOCK, Answer, Body, Headers, framed, head, rendered, say

_HEAD = 1 << 20
_HOP = ("connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade")
Up = Callable[[str, str, bool], None]


class UnreachedError(Exception):
    """A server was not reached: nothing was sent to it."""


class Transport:
    """How servers are spoken with: TLS, timeouts, and connections that are used again."""

    def __init__(self, settings: Mapping[str, Any]) -> None:
        timeouts = settings.get("forwardingTimeouts") or {}
        self.dial = seconds(timeouts.get("dialTimeout") or "30s")
        self.header = seconds(timeouts.get("responseHeaderTimeout") or 0) or None
        self.name = settings.get("serverName") or None
        self._idle: dict[str, list[tuple[asyncio.StreamReader, asyncio.StreamWriter]]] = {}
        self._most = int(settings.get("maxIdleConnsPerHost") or 200)
        self.context = ssl.create_default_context()
        self.context.minimum_version = ssl.TLSVersion.TLSv1_2
        for authority in settings.get("rootCAs") or []:
            self.context.load_verify_locations(authority)

    async def connect(self, url: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Return a connection, an idle one if there is one.

        Raises:
            UnreachedError: The server does not answer, or is not who it should be.
        """
        while waiting := self._idle.get(url):
            reader, writer = waiting.pop()
            if not reader.at_eof() and not writer.is_closing():
                return reader, writer
        where = urlsplit(url)
        tls = {"ssl": self.context, "server_hostname": self.name or where.hostname}
        options = tls if where.scheme == "https" else {}
        try:
            async with asyncio.timeout(self.dial):
                return await asyncio.open_connection(where.hostname, where.port, limit=_HEAD, **options)
        except (OSError, TimeoutError) as error:
            raise UnreachedError(str(error)) from error

    def keep(self, url: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        waiting = self._idle.setdefault(url, [])
        if len(waiting) < self._most:
            waiting.append((reader, writer))
        else:
            writer.close()


class Balancer:
    """A service of instances."""

    def __init__(self, name: str, settings: Mapping[str, Any], transport: Transport, up: Up) -> None:
        self.name, self._transport, self._up = name, transport, up
        self.urls = [str(server["url"]) for server in settings["servers"]]
        self._strategy = settings.get("strategy") or "wrr"
        if self._strategy not in {"wrr", "hrw", "p2c", "leasttime"}:
            raise WrongError(f"unsupported load-balancer strategy {self._strategy!r}")
        self._passes_host = settings.get("passHostHeader", True)
        self.check = settings.get("healthCheck")
        self.working = set(self.urls)
        self._turn = 0

    def chosen(self, client: str) -> str | None:
        """Return the next instance that works."""
        working = [url for url in self.urls if url in self.working]
        if not working:
            return None
        if self._strategy == "hrw":
            return max(working, key=lambda url: hashlib.sha256(f"{url}{client}".encode()).digest())
        self._turn += 1
        return working[self._turn % len(working)]

    async def __call__(self, request: Request, answer: Answer) -> None:
        """Pass a request on; one that was not sent yet goes to the next instance while attempts are left."""
        for left in range(max(1, request.attempts) - 1, -1, -1):
            url = self.chosen(request.remote[0])
            if url is None:
                await say(answer, 503, "no available server\n")
                return
            try:
                await self._passed(url, request, answer)
            except UnreachedError:
                if not left:
                    await say(answer, 502, "Bad Gateway")
            else:
                return

    async def _passed(self, url: str, request: Request, answer: Answer) -> None:
        reader, writer = await self._transport.connect(url)
        whole = False
        try:
            upgraded = await self._send(url, request, writer)
            try:
                async with asyncio.timeout(self._transport.header):
                    line, given = await head(reader, _HEAD)
                    while line.split(" ")[1] == "100":
                        line, given = await head(reader, _HEAD)
            except TimeoutError:
                await say(answer, 504, "Gateway Timeout")
                return
            except ConnectionResetError:
                await say(answer, 502, "Bad Gateway")
                return
            status = int(line.split(" ")[1])
            request.noted |= {
                "OriginStatus": status,
                "ServiceAddr": urlsplit(url).netloc,
                "ServiceName": self.name,
            }
            if status == 101 and upgraded:
                await _tunnel(reader, writer, *(await answer.hijack(status, given)))
                return
            whole = await _answered(reader, request, answer, status, given)
        finally:
            if whole:
                self._transport.keep(url, reader, writer)
            else:
                writer.close()

    async def _send(self, url: str, request: Request, writer: asyncio.StreamWriter) -> bool:
        """Send a request; return whether it wants to become something else."""
        sent = request.headers.copy()
        upgrade = sent.get("Upgrade") if sent.has("Connection", "upgrade") else ""
        for name in _HOP:
            sent.drop(name)
        if upgrade:
            sent.put("Connection", "Upgrade")
            sent.put("Upgrade", upgrade)
        hops = sent.get("X-Forwarded-For")
        sent.put("X-Forwarded-For", f"{hops}, {request.remote[0]}" if hops else request.remote[0])
        if not self._passes_host:
            sent.put("Host", urlsplit(url).netloc)
        body = request.body
        chunked = not body.done and not sent.get("Content-Length")
        if chunked:
            sent.put("Transfer-Encoding", "chunked")
        query = f"?{request.query}" if request.query else ""
        writer.write(rendered(f"{request.method} {request.path}{query} HTTP/1.1", sent))
        async for part in body:
            writer.write(b"%x\r\n%s\r\n" % (len(part), part) if chunked else part)
            await writer.drain()
        if chunked:
            writer.write(b"0\r\n\r\n")
        with contextlib.suppress(ConnectionError):
            await writer.drain()
        return bool(upgrade)

    async def watch(self) -> None:
        """Ask every instance again and again; one that fails is passed over until it works."""
        check = self.check or {}
        usual, failing = (
            seconds(check.get("interval") or "30s"),
            seconds(check.get("unhealthyInterval") or check.get("interval") or "30s"),
        )

        async def one(url: str) -> None:
            while True:
                works = await self._works(url)
                (self.working.add if works else self.working.discard)(url)
                self._up(self.name, url, works)
                await asyncio.sleep(usual if works else failing)

        async with asyncio.TaskGroup() as group:
            for url in self.urls:
                group.create_task(one(url))

    async def _works(self, url: str) -> bool:
        check = self.check or {}
        asked = Headers(
            [("Host", str(check.get("hostname") or urlsplit(url).netloc)), ("Connection", "close")]
        )
        try:
            async with asyncio.timeout(seconds(check.get("timeout") or "5s")):
                reader, writer = await self._transport.connect(url)
                try:
                    writer.write(rendered(f"GET {check['path']} HTTP/1.1", asked))
                    line, _ = await head(reader, _HEAD)
                finally:
                    writer.close()
        except (UnreachedError, OSError, TimeoutError):
            return False
        return 200 <= int(line.split(" ")[1]) < 400


class Failover:
    """A service, and another one while no instance of it works."""

    def __init__(self, settings: Mapping[str, Any], known: Mapping[str, Handler]) -> None:
        main = known.get(settings["service"])
        if not isinstance(main, Balancer) or settings.get("fallback") not in known:
            raise WrongError(f"the service {settings['service']!r} or its fallback does not exist")
        if main.check is None:
            raise WrongError(f"healthCheck not enabled in config for this service: {settings['service']}")
        self._main, self._instead = main, known[settings["fallback"]]

    async def __call__(self, request: Request, answer: Answer) -> None:
        await (self._main if self._main.working else self._instead)(request, answer)


async def _answered(
    reader: asyncio.StreamReader, request: Request, answer: Answer, status: int, given: Headers
) -> bool:
    """Pass an answer on as it comes; return whether the connection can be used again."""
    length, chunked = framed(given, of_request=False)
    if request.method == "HEAD" or status in {204, 304}:
        length, chunked = 0, False
    body = Body(reader, length, chunked=chunked)
    reusable = not given.has("Connection", "close") and (chunked or length is not None)
    for name in _HOP:
        given.drop(name)
    for name in {name for name, _ in given}:
        answer.headers.drop(name)
    answer.headers.pairs += given.pairs
    await answer.start(status)
    async for part in body:
        await answer.write(part)
    return reusable


async def _tunnel(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    client_reader: asyncio.StreamReader,
    client_writer: asyncio.StreamWriter,
) -> None:
    async def one(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while part := await source.read(BLOCK):
                target.write(part)
                await target.drain()
        target.close()

    await asyncio.gather(one(reader, client_writer), one(client_reader, writer))
