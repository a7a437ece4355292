"""HTTP/1.1 as Go's server and client read it: bodies with a length, in chunks, or to the end."""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from collections.abc import AsyncIterator, Iterator
from http import HTTPStatus

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_LINE = 65_536
BLOCK = 65_536
# What Go's server reads of a body that nobody wanted, before it ends the connection.
LEFT_OVER = 256 << 10


class RefusedError(Exception):
    """A request that is answered before any router sees it."""

    def __init__(self, status: int) -> None:
        self.status = status
        super().__init__(status)


class Headers:
    """Names without regard to case, in the order in which they came."""

    def __init__(self, pairs: list[tuple[str, str]] | None = None) -> None:
        self.pairs = pairs or []

    def all(self, name: str) -> list[str]:
        return [value for known, value in self.pairs if known.lower() == name.lower()]

    def get(self, name: str) -> str:
        return next(iter(self.all(name)), "")

    def has(self, name: str, word: str) -> bool:
        """Tell whether a list of words holds one."""
        return any(
            word.lower() == part.strip().lower() for value in self.all(name) for part in value.split(",")
        )

    def drop(self, name: str) -> None:
        self.pairs = [pair for pair in self.pairs if pair[0].lower() != name.lower()]

    def put(self, name: str, value: str) -> None:
        self.drop(name)
        self.pairs.append((name, value))

    def copy(self) -> Headers:
        return Headers(list(self.pairs))

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self.pairs)


class Body:
    """What a message carries, read as it is wanted; `deadline` is when the whole of it must have come."""

    def __init__(self, reader: asyncio.StreamReader, length: int | None, *, chunked: bool) -> None:
        self._reader, self._left, self._chunked = reader, length, chunked
        self.done = length == 0 and not chunked
        self.deadline = float("inf")
        self.wanted: asyncio.StreamWriter | None = None
        self.size = 0

    async def read(self) -> bytes:
        """Return the next part, empty at the end.

        Raises:
            TimeoutError: It has not come in time.
            RefusedError: It is not as its frame says.
        """
        if self.done:
            return b""
        if self.wanted is not None:
            self.wanted.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            self.wanted = None
        limit = None if self.deadline == float("inf") else max(0.0, self.deadline - time.monotonic())
        async with asyncio.timeout(limit):
            part = await (self._chunk() if self._chunked else self._plain())
        self.size += len(part)
        return part

    async def _plain(self) -> bytes:
        part = await self._reader.read(BLOCK if self._left is None else min(BLOCK, self._left))
        if not part:
            if self._left:
                raise ConnectionResetError
            self.done = True
        if self._left is not None:
            self._left -= len(part)
            self.done = self._left == 0
        return part

    async def _chunk(self) -> bytes:
        if not self._left:
            size = (await self._reader.readline()).split(b";")[0].strip()
            if not re.fullmatch(rb"[0-9A-Fa-f]{1,16}", size):
                raise RefusedError(HTTPStatus.BAD_REQUEST)
            self._left = int(size, 16)
            if self._left == 0:
                while (await self._reader.readline()).strip():
                    pass
                self.done = True
                return b""
        part = await self._reader.read(min(BLOCK, self._left))
        if not part:
            raise ConnectionResetError
        self._left -= len(part)
        if self._left == 0:
            await self._reader.readline()
        return part

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while part := await self.read():
            yield part


class Held(Body):
    """A body that was read before, and can be read again."""

    def __init__(self, content: bytes) -> None:
        super().__init__(asyncio.StreamReader(), len(content), chunked=False)
        self.content, self.done = content, not content

    async def read(self) -> bytes:
        part, self.content = self.content[:BLOCK], self.content[BLOCK:]
        self.done = not self.content
        return part


async def head(reader: asyncio.StreamReader, most: int) -> tuple[str, Headers]:
    """Read a message's first line and headers.

    Raises:
        RefusedError: A line is none, or there are too many.
        ConnectionResetError: The other end went.
    """
    lines: list[str] = []
    size = 0
    while True:
        try:
            line = await reader.readuntil(b"\n")
        except asyncio.LimitOverrunError as error:
            raise RefusedError(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE) from error
        except asyncio.IncompleteReadError as error:
            raise ConnectionResetError from error
        size += len(line)
        if size > most:
            raise RefusedError(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
        text = line.rstrip(b"\r\n").decode("latin-1")
        if not text and lines:
            break
        if text:
            lines.append(text)
    pairs = []
    for text in lines[1:]:
        name, colon, value = text.partition(":")
        if not colon or not _TOKEN.fullmatch(name) or re.search(r"[\x00-\x08\x0a-\x1f\x7f]", value):
            raise RefusedError(HTTPStatus.BAD_REQUEST)
        pairs.append((name, value.strip()))
    return lines[0], Headers(pairs)


def framed(headers: Headers, *, of_request: bool) -> tuple[int | None, bool]:
    """Return a message's length and whether it comes in chunks, as Go's `net/http` reads both.

    Raises:
        RefusedError: Two lengths, a length that is none, or an encoding that is not known.
    """
    encodings = headers.all("Transfer-Encoding")
    if encodings:
        if len(encodings) != 1 or encodings[0].lower() != "chunked":
            raise RefusedError(HTTPStatus.NOT_IMPLEMENTED)
        # Of both kinds of length the chunks count, and the other is not seen any more.
        headers.drop("Transfer-Encoding")
        headers.drop("Content-Length")
        return None, True
    lengths = {value.strip() for value in headers.all("Content-Length")}
    if not lengths:
        return (0 if of_request else None), False
    if len(lengths) > 1 or not re.fullmatch("[0-9]{1,18}", length := lengths.pop()):
        raise RefusedError(HTTPStatus.BAD_REQUEST)
    headers.put("Content-Length", length)
    return int(length), False


class Answer:
    """What is answered, as those that handle a request write it."""

    def __init__(self, writer: asyncio.StreamWriter, reader: asyncio.StreamReader, method: str) -> None:
        self.headers = Headers()
        self.status, self.size = 0, 0
        self.close, self.hijacked = False, False
        self.writer, self.reader = writer, reader
        self._method = method
        self._chunked = False

    async def start(self, status: int) -> None:
        """Send the status and the headers; what comes later of them is too late."""
        if self.status or self.hijacked:
            return
        self.status = status
        bare = status in {HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED}
        if not bare and not self.headers.get("Content-Length"):
            self._chunked = True
            self.headers.put("Transfer-Encoding", "chunked")
        if bare or self._method == "HEAD":
            self._chunked = False
        if self.close:
            self.headers.put("Connection", "close")
        self.writer.write(rendered(f"HTTP/1.1 {status} {reason(status)}", self.headers))
        await self.writer.drain()

    async def write(self, data: bytes) -> None:
        await self.start(HTTPStatus.OK)
        if not data or self._method == "HEAD" or self.status in {204, 304}:
            return
        self.size += len(data)
        self.writer.write(b"%x\r\n%s\r\n" % (len(data), data) if self._chunked else data)
        await self.writer.drain()

    async def flush(self) -> None:
        """Nothing is held back here."""

    async def end(self) -> None:
        if not self.status and not self.headers.get("Content-Length"):
            self.headers.put("Content-Length", "0")
        await self.start(HTTPStatus.OK)
        if self._chunked:
            self.writer.write(b"0\r\n\r\n")
        await self.writer.drain()

    async def hijack(
        self, status: int, headers: Headers
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Hand the connection over, after the answer that agrees to it."""
        self.status, self.hijacked = status, True
        self.writer.write(rendered(f"HTTP/1.1 {status} {reason(status)}", headers))
        await self.writer.drain()
        return self.reader, self.writer


class Wrapped(Answer):
    """An answer that another one stands behind; does nothing by itself."""

    def __init__(self, inner: Answer) -> None:
        self.inner = inner
        self.headers = inner.headers
        self.status = 0

    async def start(self, status: int) -> None:
        if not self.status:
            self.status = status
            self.inner.headers = self.headers
            await self.inner.start(status)

    async def write(self, data: bytes) -> None:
        await self.start(HTTPStatus.OK)
        await self.inner.write(data)

    async def flush(self) -> None:
        await self.inner.flush()

    async def end(self) -> None:
        """Only the outermost ends."""

    async def hijack(
        self, status: int, headers: Headers
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        self.status = status
        return await self.inner.hijack(status, headers)


async def say(answer: Answer, status: int, text: str) -> None:
    """Answer in the proxy's own words."""
    answer.headers.put("Content-Type", "text/plain; charset=utf-8")
    answer.headers.put("Content-Length", str(len(text.encode())))
    await answer.start(status)
    await answer.write(text.encode())


def rendered(first: str, headers: Headers) -> bytes:
    """Return a message's first line and headers as bytes."""
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers)
    return f"{first}\r\n{lines}\r\n".encode("latin-1", "replace")


def reason(status: int) -> str:
    with contextlib.suppress(ValueError):
        return HTTPStatus(status).phrase
    return ""
