"""How rsyslog speaks with the program behind its module omprog, with transactions and confirmations.

Each line is answered before the next one comes: OK, DEFER_COMMIT within a transaction; anything else is a
failure, after which rsyslog keeps the batch and tries it again. See rsyslog, "Interface between rsyslog and
external output plugins".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import BinaryIO

BEGIN = b"BEGIN TRANSACTION"
COMMIT = b"COMMIT TRANSACTION"


class UndeliveredError(Exception):
    """The batch could not be stored now; it must come again."""


def serve(lines: Iterable[bytes], out: BinaryIO, deliver: Callable[[list[bytes]], None]) -> None:
    """Answer until rsyslog closes its end.

    Args:
        lines: What rsyslog writes, a message or a mark a line.
        out: Where it reads the answers.
        deliver: Stores a batch, all of it or none as far as the answer goes.
    """
    waiting: list[bytes] = []
    _say(out, "OK")
    for raw in lines:
        line = raw.rstrip(b"\n")
        if line == BEGIN:
            waiting = []
            _say(out, "OK")
        elif line == COMMIT:
            try:
                if waiting:
                    deliver(waiting)
            except UndeliveredError as error:
                _say(out, f"Error: {error}")
            else:
                _say(out, "OK")
            waiting = []
        else:
            waiting.append(line)
            _say(out, "DEFER_COMMIT")


def _say(out: BinaryIO, text: str) -> None:
    out.write(text.replace("\n", " ").encode() + b"\n")
    out.flush()
