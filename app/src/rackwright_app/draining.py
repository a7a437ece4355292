"""Ends connections that a proxy keeps before the server closes what is left of them.

A server that closes a kept connection may do so in the very moment in which the proxy sends a request over
it; the proxy cannot know whether that was begun, and must not send a POST again. So for a while before the
end every answer says that its connection ends with it; what is then closed has not been used meanwhile.
A connection that was taken a moment before the end has not asked yet: so this worker stops taking them first,
and the port's queue keeps them for its successor.
"""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import uvicorn

_TAKEN_SECONDS = 0.5
"""How long a connection that was just taken has to ask: a handshake of TLS, and its request."""


class Draining:
    """Whether this worker is about to end."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self.begun = False

    @contextmanager
    def before_the_end(self) -> Iterator[None]:
        """Stands between SIGTERM and the server; a second one ends it at once. Needs a running loop."""
        if threading.current_thread() is not threading.main_thread():
            # Signals are the main thread's: in another one somebody else decides when it ends.
            yield
            return
        loop = asyncio.get_running_loop()
        server = signal.getsignal(signal.SIGTERM)

        def ended(number: int, frame: FrameType | None = None) -> None:
            if callable(server):
                server(number, frame)

        def close_the_door(number: int) -> None:
            # The signal's handler is a method of the server, which alone knows where this worker listens.
            owner = getattr(server, "__self__", None)
            if isinstance(owner, uvicorn.Server):
                for listener in owner.servers:
                    listener.close()
            loop.call_later(_TAKEN_SECONDS, ended, number)

        def told(number: int, frame: FrameType | None) -> None:
            if self.begun:
                ended(number, frame)
                return
            self.begun = True
            loop.call_soon_threadsafe(lambda: loop.call_later(self._seconds, close_the_door, number))

        signal.signal(signal.SIGTERM, told)
        yield
