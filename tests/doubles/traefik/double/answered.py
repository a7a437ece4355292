"""Middlewares that change what is asked and answered: headers, pages in place of errors, redirects, paths."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from http import HTTPStatus

from double.chain import Around, Handler, Services, Settings, WrongError
from double.requests import Request
from double.wire import Answer, Headers, Wrapped, say


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


def headers(settings: Settings, _: Services) -> Around:
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


def errors(settings: Settings, services: Services) -> Around:
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


def redirect_scheme(settings: Settings, _: Services) -> Around:
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


def replace_path(settings: Settings, _: Services) -> Around:
    def around(then: Handler) -> Handler:
        async def handle(request: Request, answer: Answer) -> None:
            request.headers.put("X-Replaced-Path", request.path)
            await then(request.at(settings["path"]), answer)

        return handle

    return around
