"""The middlewares that roles/traefik uses, with the meaning that Traefik's reference gives them."""

from __future__ import annotations

import asyncio
import ipaddress
import math
import re
import time
import zlib
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Any

from double.requests import Request
from double.wire import Answer, Headers, Held, Wrapped, say

Handler = Callable[[Request, Answer], Awaitable[None]]
Settings = Mapping[str, Any]
Services = Mapping[str, Handler]
_MEMORY = 1 << 20
_SIZES = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}


class WrongError(Exception):
    """A part of the configuration that is not put in force; the text is what the API says of it."""


def seconds(value: object) -> float:
    """Return a duration: a number of seconds, or numbers with units."""
    parts = re.findall(r"([0-9.]+)(ns|us|ms|s|m|h)", str(value))
    return sum(float(number) * _SIZES[unit] for number, unit in parts) if parts else float(str(value))


def _source(strategy: Settings) -> Callable[[Request], str]:
    """Return how a request's source is found: the connection's address, or what proxies say."""
    excluded = [ipaddress.ip_network(network) for network in strategy.get("excludedIPs") or []]
    depth = int(strategy.get("depth") or 0)

    def found(request: Request) -> str:
        hops = [hop.strip() for hop in request.headers.get("X-Forwarded-For").split(",")]
        if depth > 0:
            return hops[-depth] if len(hops) >= depth else ""
        if not excluded:
            return request.remote[0]
        return next((hop for hop in reversed(hops) if hop and not _in(hop, excluded)), "")

    return found


def _in(address: str, networks: list[Any]) -> bool:
    try:
        return any(ipaddress.ip_address(address) in network for network in networks)
    except ValueError:
        return False


def ip_allow_list(settings: Settings, _: Services) -> Callable[[Handler], Handler]:
    if not settings.get("sourceRange"):
        raise WrongError("sourceRange is empty, IPAllowLister not created")
    networks = [ipaddress.ip_network(network) for network in settings["sourceRange"]]
    source, status = _source(settings.get("ipStrategy") or {}), int(settings.get("rejectStatusCode") or 403)
    if status not in {known.value for known in HTTPStatus}:
        raise WrongError(f"invalid HTTP status code {status}")

    def around(then: Handler) -> Handler:
        async def handle(request: Request, answer: Answer) -> None:
            if _in(source(request), networks):
                await then(request, answer)
            else:
                await say(answer, status, HTTPStatus(status).phrase)

        return handle

    return around


def rate_limit(settings: Settings, _: Services) -> Callable[[Handler], Handler]:
    rate = float(settings.get("average") or 0) / seconds(settings.get("period") or "1s")
    burst = max(1, int(settings.get("burst") or 1))
    most = 0.5 if rate < 1 else 1 / (int(rate) * 2)
    source = _source((settings.get("sourceCriterion") or {}).get("ipStrategy") or {})

    def around(then: Handler) -> Handler:
        # Each router has a limiter of its own.
        buckets: dict[str, tuple[float, float]] = {}

        async def handle(request: Request, answer: Answer) -> None:
            who, now = source(request), time.monotonic()
            tokens, before = buckets.get(who, (float(burst), now))
            tokens = min(float(burst), tokens + (now - before) * rate) - 1
            delay = max(0.0, -tokens / rate) if rate else 0.0
            if delay > most:
                buckets[who] = (tokens + 1, now)
                answer.headers.put("Retry-After", str(math.ceil(delay)))
                answer.headers.put("X-Retry-In", f"{delay:.6f}s")
                await say(answer, 429, "Too Many Requests")
                return
            buckets[who] = (tokens, now)
            await asyncio.sleep(delay)
            await then(request, answer)

        return handle

    return around


def in_flight_req(settings: Settings, _: Services) -> Callable[[Handler], Handler]:
    most = int(settings["amount"])
    source = _source((settings.get("sourceCriterion") or {}).get("ipStrategy") or {})

    def around(then: Handler) -> Handler:
        open_now: Counter[str] = Counter()

        async def handle(request: Request, answer: Answer) -> None:
            who = source(request)
            if open_now[who] >= most:
                await say(answer, 429, f"max connections reached: {most}")
                return
            open_now[who] += 1
            try:
                await then(request, answer)
            finally:
                open_now[who] -= 1

        return handle

    return around


class _Changed(Wrapped):
    """An answer whose headers are changed when it begins."""

    def __init__(self, inner: Answer, change: Callable[[Headers], None]) -> None:
        super().__init__(inner)
        self._change = change

    async def start(self, status: int) -> None:
        if not self.status:
            self._change(self.headers)
        await super().start(status)

    async def hijack(
        self, status: int, headers: Headers
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        self._change(headers)
        return await super().hijack(status, headers)


def headers(settings: Settings, _: Services) -> Callable[[Handler], Handler]:
    asked, answered = settings.get("customRequestHeaders") or {}, settings.get("customResponseHeaders") or {}
    origins = settings.get("accessControlAllowOriginList") or []

    def around(then: Handler) -> Handler:
        async def handle(request: Request, answer: Answer) -> None:
            origin = request.headers.get("Origin")
            wanted = request.headers.get("Access-Control-Request-Method")
            if origins and request.method == "OPTIONS" and origin and wanted:
                answer.headers.put(
                    "Access-Control-Allow-Headers", ",".join(settings["accessControlAllowHeaders"])
                )
                answer.headers.put(
                    "Access-Control-Allow-Methods", ",".join(settings["accessControlAllowMethods"])
                )
                if origin in origins:
                    answer.headers.put("Access-Control-Allow-Origin", origin)
                answer.headers.put("Content-Length", "0")
                await answer.start(200)
                return
            _laid(request.headers, asked)

            def change(given: Headers) -> None:
                _laid(given, answered)
                if origin in origins:
                    given.put("Access-Control-Allow-Origin", origin)
                if settings.get("addVaryHeader"):
                    vary = given.get("Vary")
                    given.put("Vary", f"{vary},Origin" if vary and vary != "Origin" else "Origin")

            await then(request, _Changed(answer, change))

        return handle

    return around


def _laid(given: Headers, changes: Mapping[str, str]) -> None:
    for name, value in changes.items():
        if value:
            given.put(name, value)
        else:
            given.drop(name)


class _Caught(Wrapped):
    """An answer that goes no further when its status is among those that are caught."""

    def __init__(self, inner: Answer, statuses: list[range]) -> None:
        super().__init__(inner)
        self.headers = Headers()
        self._statuses = statuses
        self.caught = 0

    async def start(self, status: int) -> None:
        if self.status or self.caught:
            return
        if any(status in some for some in self._statuses):
            self.caught = status
            return
        for name, value in self.headers:
            self.inner.headers.put(name, value)
        self.headers = self.inner.headers
        await super().start(status)

    async def write(self, data: bytes) -> None:
        await self.start(200)
        if not self.caught:
            await self.inner.write(data)


class _Forced(Wrapped):
    """An answer with another status than the one that is given."""

    def __init__(self, inner: Answer, forced: int) -> None:
        super().__init__(inner)
        self._forced = forced

    async def start(self, status: int) -> None:
        await super().start(self._forced if status else status)


def errors(settings: Settings, services: Services) -> Callable[[Handler], Handler]:
    statuses = [_span(text) for text in settings["status"]]
    rewrites = [(_span(text), status) for text, status in (settings.get("statusRewrites") or {}).items()]
    if settings["service"] not in services:
        raise WrongError(f"the service {settings['service']!r} does not exist")
    page, query = services[settings["service"]], str(settings.get("query") or "")

    def around(then: Handler) -> Handler:
        async def handle(request: Request, answer: Answer) -> None:
            caught = _Caught(answer, statuses)
            await then(request, caught)
            if not caught.caught:
                return
            status = next((to for some, to in rewrites if caught.caught in some), caught.caught)
            path = "/" + query.replace("{status}", str(status)).lstrip("/")
            asked = request.asking(path, settings.get("errorRequestHeaders") or [])
            await page(asked, _Forced(answer, status))

        return handle

    return around


def _span(text: str) -> range:
    first, _, last = str(text).partition("-")
    return range(int(first), int(last or first) + 1)


def redirect_scheme(settings: Settings, _: Services) -> Callable[[Handler], Handler]:
    scheme, port = settings["scheme"], str(settings.get("port") or "")
    shown = "" if port in {"", {"http": "80", "https": "443"}[scheme]} else f":{port}"

    def around(then: Handler) -> Handler:
        async def handle(request: Request, answer: Answer) -> None:
            if bool(request.tls) == (scheme == "https"):
                await then(request, answer)
                return
            query = f"?{request.query}" if request.query else ""
            answer.headers.put("Location", f"{scheme}://{request.host}{shown}{request.path}{query}")
            kept = request.method != "GET"
            status = (308 if kept else 301) if settings.get("permanent") else (307 if kept else 302)
            await say(answer, status, HTTPStatus(status).phrase)

        return handle

    return around


def replace_path(settings: Settings, _: Services) -> Callable[[Handler], Handler]:
    def around(then: Handler) -> Handler:
        async def handle(request: Request, answer: Answer) -> None:
            request.headers.put("X-Replaced-Path", request.path)
            await then(request.at(settings["path"]), answer)

        return handle

    return around


class _Collected(Wrapped):
    """An answer that is held back until it is whole."""

    def __init__(self, inner: Answer) -> None:
        super().__init__(inner)
        self.content = b""
        self.taken = False

    async def start(self, status: int) -> None:
        self.status = self.status or status

    async def write(self, data: bytes) -> None:
        await self.start(200)
        self.content += data

    async def hijack(
        self, status: int, headers: Headers
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        self.taken = True
        return await super().hijack(status, headers)


def buffering(settings: Settings, _: Services) -> Callable[[Handler], Handler]:
    most = int(settings.get("maxRequestBodyBytes") or 0)

    def around(then: Handler) -> Handler:
        async def handle(request: Request, answer: Answer) -> None:
            content = bytearray()
            async for part in request.body:
                content += part
                if most and len(content) > most:
                    await say(answer, 413, "Request Entity Too Large")
                    return
            request.body = Held(bytes(content))
            request.headers.put("Content-Length", str(len(content)))
            collected = _Collected(answer)
            await then(request, collected)
            if not collected.taken:
                answer.headers = collected.headers
                answer.headers.put("Content-Length", str(len(collected.content)))
                await answer.start(collected.status or 200)
                await answer.write(collected.content)

        return handle

    return around


class _Packed(Wrapped):
    """An answer that is compressed when it is long enough and of a kind that is worth it."""

    def __init__(self, inner: Answer, kinds: list[str], least: int) -> None:
        super().__init__(inner)
        self._kinds, self._least = kinds, least
        self._waiting, self._late = b"", 0
        self._packer: zlib._Compress | None = None
        self._plain = False

    async def start(self, status: int) -> None:
        if self._late or self.status:
            return
        kind = self.headers.get("Content-Type").partition(";")[0].strip().lower()
        self._plain = kind not in self._kinds or bool(self.headers.get("Content-Encoding"))
        if self._plain:
            await super().start(status)
        else:
            self._late = status

    async def write(self, data: bytes) -> None:
        await self.start(200)
        if self._plain:
            await self.inner.write(data)
        elif self._packer is not None:
            await self.inner.write(self._packer.compress(data))
        else:
            self._waiting += data
            if len(self._waiting) >= self._least:
                self._packer = zlib.compressobj(wbits=31)
                self.headers.drop("Content-Length")
                self.headers.put("Content-Encoding", "gzip")
                self.headers.put("Vary", "Accept-Encoding")
                await super().start(self._late)
                await self.inner.write(self._packer.compress(self._waiting))

    async def finished(self) -> None:
        """Send what is left."""
        if self._packer is not None:
            await self.inner.write(self._packer.flush())
        elif self._late and not self._plain:
            await super().start(self._late)
            await self.inner.write(self._waiting)


def compress(settings: Settings, _: Services) -> Callable[[Handler], Handler]:
    kinds, least = (
        list(settings.get("includedContentTypes") or []),
        int(settings.get("minResponseBodyBytes") or 1024),
    )
    if "gzip" not in settings["encodings"]:
        raise WrongError("the double compresses by gzip alone")

    def around(then: Handler) -> Handler:
        async def handle(request: Request, answer: Answer) -> None:
            if request.method == "HEAD" or not request.headers.has("Accept-Encoding", "gzip"):
                await then(request, answer)
                return
            packed = _Packed(answer, kinds, least)
            await then(request, packed)
            await packed.finished()

        return handle

    return around


def retry(settings: Settings, _: Services) -> Callable[[Handler], Handler]:
    def around(then: Handler) -> Handler:
        async def handle(request: Request, answer: Answer) -> None:
            # What asks the servers counts them down: it alone knows whether anything was sent.
            request.attempts = int(settings["attempts"])
            await then(request, answer)

        return handle

    return around


BUILT: Mapping[str, Callable[[Settings, Services], Callable[[Handler], Handler]]] = {
    "ipAllowList": ip_allow_list,
    "rateLimit": rate_limit,
    "inFlightReq": in_flight_req,
    "headers": headers,
    "errors": errors,
    "redirectScheme": redirect_scheme,
    "replacePath": replace_path,
    "buffering": buffering,
    "compress": compress,
    "retry": retry,
}
