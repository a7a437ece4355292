"""Middlewares that hold bodies: whole ones, measured, and answers that are compressed."""

from __future__ import annotations

import asyncio
import zlib

from double.chain import Around, Handler, Services, Settings, WrongError
from double.requests import Request
from double.wire import Answer, Headers, Held, Wrapped, say


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


def buffering(settings: Settings, _: Services) -> Around:
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


def compress(settings: Settings, _: Services) -> Around:
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
