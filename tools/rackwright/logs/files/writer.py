"""Adds lines to the files of their day, host and service; a batch counts when all of it is written."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path

from rackwright.logs.agent.wire import UndeliveredError
from rackwright.logs.files.keeper import Keeper
from rackwright.logs.files.layout import UNKNOWN, place_of, sender_of


class Writer:
    """Writes to one directory.

    Attributes:
        written: Lines since it was made.
        refused: Messages that were no lines of a shipper.
        heard: Host -> when its last line came, in seconds of the epoch.
    """

    def __init__(self, root: Path, hosts: Mapping[str, tuple[str, str]], keeper: Keeper) -> None:
        """Hosts: address -> zone and host."""
        self._root, self._hosts, self._keeper = root, hosts, keeper
        # Files whose end was looked at: what a crash has left of a line would stand before the next one.
        self._mended: set[Path] = set()
        self.written = self.refused = 0
        self.heard: dict[str, float] = {}

    def sorted(self, batch: list[bytes]) -> dict[Path, bytes]:
        """Return what each file gets of a batch, in order.

        Args:
            batch: Messages: the address that one came from, a space, the line as `kept_line` makes it.
        """
        found: dict[Path, list[bytes]] = {}
        now = datetime.now(timezone.utc)
        for message in batch:
            address, _, line = message.partition(b" ")
            sender = sender_of(address.decode("ascii", "replace"), self._hosts)
            try:
                told = json.loads(line)
                place = place_of(
                    datetime.fromisoformat(told["time"].replace("Z", "+00:00")),
                    now,
                    sender,
                    str(told["service"]),
                )
            except (ValueError, TypeError, KeyError, AttributeError):
                self.refused += 1
                continue
            found.setdefault(place.plain(self._root), []).append(line + b"\n")
            if sender[0] != UNKNOWN:
                self.heard[sender[1]] = now.timestamp()
        return {path: b"".join(lines) for path, lines in found.items()}

    def write(self, pending: dict[Path, bytes]) -> None:
        """Write; what is written is taken out, so that another try goes on with the rest.

        Raises:
            UndeliveredError: The disk does not take it.
        """
        self._keeper.room_for(sum(map(len, pending.values())))
        for path in list(pending):
            with self._keeper.lock:
                self._add(path, pending[path])
            self._keeper.used += len(pending[path])
            self.written += pending.pop(path).count(b"\n")

    def _add(self, path: Path, content: bytes) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            file = os.open(path, os.O_RDWR | os.O_CREAT, 0o640)
        except OSError as error:
            raise UndeliveredError(f"{path}: {error.strerror}") from None
        try:
            end = os.lseek(file, 0, os.SEEK_END)
            if path not in self._mended:
                end = _whole_lines(file, end)
                os.ftruncate(file, end)
                self._mended.add(path)
            done = 0
            while done < len(content):
                done += os.pwrite(file, content[done:], end + done)
        except OSError as error:
            self._mended.discard(path)
            os.ftruncate(file, end)
            raise UndeliveredError(f"{path}: {error.strerror}") from None
        finally:
            os.close(file)


def _whole_lines(file: int, end: int) -> int:
    """Return where the last whole line of a file ends."""
    place = end
    while place:
        begun = max(0, place - 65536)
        part = os.pread(file, place - begun, begun)
        if (found := part.rfind(b"\n")) >= 0:
            return begun + found + 1
        place = begun
    return 0
