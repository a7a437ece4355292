"""Server-sent events, and work that ends when its client goes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import structlog
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from rackwright_app.errors import error_body

T = TypeVar("T")
_log = structlog.get_logger(__name__)

# A client that reads slowly holds its engine back after this many events, and no memory grows.
_QUEUED_EVENTS = 64


@dataclass(frozen=True)
class Event:
    """One event of a stream."""

    name: str
    data: Mapping[str, object]

    def encode(self) -> bytes:
        """Returns the event as it goes over the wire; JSON leaves no line break in it."""
        return f"event: {self.name}\ndata: {json.dumps(self.data, ensure_ascii=False)}\n\n".encode()


Emit = Callable[[Event], Awaitable[None]]


class ClientGoneError(Exception):
    """The client has closed its connection."""


async def while_connected(receive: Receive, work: Coroutine[Any, Any, T]) -> T:
    """Runs work until it is done or its client has gone; then the work is cancelled and has ended on return.

    Args:
        receive: The request's ASGI channel; its body has been read.
        work: What to run.

    Returns:
        What the work returned.

    Raises:
        ClientGoneError: The client went first.
    """
    task = asyncio.ensure_future(work)
    gone = asyncio.ensure_future(_disconnect(receive))
    try:
        await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise ClientGoneError
        return task.result()
    finally:
        for each in (task, gone):
            each.cancel()
        await asyncio.gather(task, gone, return_exceptions=True)


class EventStream(Response):
    """A stream of events from a coroutine that emits them.

    A comment goes out whenever nothing else has for a while, so that proxies keep the connection and a client
    that has gone is noticed. The coroutine runs in a task of its own, is cancelled when the client goes, and
    has ended when the response has.
    """

    media_type = "text/event-stream"

    def __init__(
        self, work: Callable[[Emit], Coroutine[Any, Any, None]], *, keepalive_seconds: float
    ) -> None:
        super().__init__()
        self._work = work
        self._keepalive = keepalive_seconds
        # Nginx passes a response with this header on unbuffered, whatever its configuration.
        self.headers.update({"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        del self.headers["Content-Length"]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Sends the stream."""
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        try:
            await while_connected(receive, self._relay(send))
        except ClientGoneError:
            scope["state"]["aborted"] = True

    async def _relay(self, send: Send) -> None:
        queue: asyncio.Queue[bytes | None] = asyncio.Queue(_QUEUED_EVENTS)
        producer = asyncio.create_task(self._produce(queue))
        try:
            while (chunk := await self._next(queue)) is not None:
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await send({"type": "http.response.body", "body": b""})
        finally:
            producer.cancel()
            await asyncio.gather(producer, return_exceptions=True)

    async def _next(self, queue: asyncio.Queue[bytes | None]) -> bytes | None:
        try:
            async with asyncio.timeout(self._keepalive):
                return await queue.get()
        except TimeoutError:
            return b": keep-alive\n\n"

    async def _produce(self, queue: asyncio.Queue[bytes | None]) -> None:
        try:
            await self._work(lambda event: queue.put(event.encode()))
        except Exception:  # noqa: BLE001 - whatever it was, it is logged and the client is told
            # The answer has begun, so no status can say it any more.
            _log.exception("stream failed")
            failed = error_body("internal", "The answer could not be finished.")
            await queue.put(Event("error", failed["error"]).encode())
        await queue.put(None)


async def _disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
