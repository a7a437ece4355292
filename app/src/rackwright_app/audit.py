"""The audit file: one JSON object a line, appended, personal data masked.

JSON escapes line breaks and control characters, so nothing a caller sends can forge a line.
"""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import structlog

from rackwright_app import metrics
from rackwright_app.audit_chain import Chain, encoded

_MODE = 0o640
_log = structlog.get_logger(__name__)


def keepable(value: object) -> object:
    """Returns a JSON value as every reader of the trail can hold it.

    PostgreSQL's ``jsonb`` knows no NUL and no half of a surrogate pair, and JSON no infinity: what a caller
    sends of them is shown in another way, so that no line is refused for it.
    """
    if isinstance(value, str):
        return value.replace("\0", "\N{SYMBOL FOR NULL}").encode(errors="replace").decode()
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, Mapping):
        return {keepable(str(key)): keepable(item) for key, item in value.items()}
    if isinstance(value, Sequence):
        return [keepable(item) for item in value]
    return value


class AuditLog:
    """Appends lines to the audit file and follows it through rotation.

    Several processes write the same file: a line is one ``write`` on a descriptor opened for appending, which
    the kernel does not mix with another's. When the path no longer leads to the open file (logrotate has
    moved it), the file is opened anew, so rotation needs no signal.
    """

    def __init__(
        self, path: Path, key: bytes = b"", copy: Callable[[dict[str, Any]], None] | None = None
    ) -> None:
        self._path = path
        self._chain = Chain(key)
        self._copy = copy
        self._lock = threading.Lock()
        self._descriptor: int | None = None
        self.healthy = True

    def write(self, record: Mapping[str, object]) -> None:
        """Appends one line. A failure is logged, counted and shown by ``healthy``, not raised.

        Args:
            record: The fields, already masked.
        """
        try:
            with self._lock:
                placed = self._chain.add({key: keepable(value) for key, value in record.items()})
                self._append(encoded(placed) + b"\n")
        except OSError as error:
            self.healthy = False
            metrics.AUDIT_FAILURES.inc()
            _log.error("audit line not written", path=str(self._path), error=error.strerror)
        else:
            self.healthy = True
        if self._copy is not None:
            self._copy(placed)

    def close(self) -> None:
        """Closes the file."""
        with self._lock:
            if self._descriptor is not None:
                os.close(self._descriptor)
                self._descriptor = None

    def _append(self, line: bytes) -> None:
        descriptor = self._current()
        written = os.write(descriptor, line)
        if written != len(line):
            # The disk filled up within the line: end it, so that the next one stands alone.
            os.write(descriptor, b"\n")
            raise OSError(28, "the audit line was cut short")

    def _current(self) -> int:
        if self._descriptor is not None and self._moved(self._descriptor):
            os.close(self._descriptor)
            self._descriptor = None
        if self._descriptor is None:
            self._descriptor = os.open(
                self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, _MODE
            )
        return self._descriptor

    def _moved(self, descriptor: int) -> bool:
        try:
            at_path = self._path.stat()
        except FileNotFoundError:
            return True
        opened = os.fstat(descriptor)
        return (at_path.st_dev, at_path.st_ino) != (opened.st_dev, opened.st_ino)
