"""How rsyslog speaks with the program behind its module omprog, with transactions and confirmations.

Each line is answered before the next one comes: OK, or DEFER_COMMIT within a transaction. See rsyslog,
"Interface between rsyslog and external output plugins".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import BinaryIO

BEGIN = b"BEGIN TRANSACTION"
COMMIT = b"COMMIT TRANSACTION"


class UndeliveredError(Exception):
    """The batch could not be stored now; it must be sent again."""


def serve(lines: Iterable[bytes], out: BinaryIO, deliver: Callable[[list[bytes]], None]) -> None:
    """Answer until rsyslog closes its end.

    Args:
        lines: What rsyslog writes, a message or a mark a line.
        out: Where it reads the answers.
        deliver: Stores a batch; returns when all of it is stored.
    """
    waiting: list[bytes] = []
    _say(out, "OK")
    for raw in lines:
        line = raw.rstrip(b"\n")
        if line == BEGIN:
            waiting = []
            _say(out, "OK")
        elif line == COMMIT:
            if waiting:
                deliver(waiting)
            _say(out, "OK")
            waiting = []
        else:
            waiting.append(line)
            _say(out, "DEFER_COMMIT")


def _say(out: BinaryIO, text: str) -> None:
    out.write(text.encode() + b"\n")
    out.flush()
