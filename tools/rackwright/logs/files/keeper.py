"""Packs what is written no more, and keeps within days and space: the oldest goes first."""

from __future__ import annotations

import gzip
import os
import re
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

from rackwright.logs.files.layout import DAY, HALF, PACKING, PLAIN, days, place_at

# A file of the day is packed when it has grown to this; one of another day when it has settled.
LARGE_BYTES = 16 * 1024 * 1024
SETTLED_SECONDS = 300
# Above this part of the space even what is small is packed.
TIGHT = 0.8
_SMALL_BYTES = 64 * 1024
# Of a line, without reading all of its JSON.
_ID = re.compile(rb'"id":"([0-9a-f]{32})"')


class Keeper:
    """Looks after one directory. Whoever adds to files holds `lock` meanwhile, and no file afterwards."""

    def __init__(self, root: Path, keep_days: int, limit_bytes: int) -> None:
        """Take up what another run has left.

        Args:
            root: The directory.
            keep_days: For how many days lines are kept, today counted.
            limit_bytes: What all files may take on the disk.
        """
        self._root, self._days, self.limit = root, keep_days, limit_bytes
        self.lock = threading.Lock()
        self._looking = threading.Lock()
        self.removed_early = 0
        for half in root.glob(f"*/*/*/*{HALF}"):
            half.unlink()
        self.used = self._measured()

    def room_for(self, count: int) -> None:
        """Make room for some bytes, whatever has to go for it."""
        if self.used + count > self.limit:
            self.look(needed=count)

    def look(self, needed: int = 0) -> None:
        """Do what is due."""
        with self._looking:
            now = time.time()
            self._expire(now)
            for path in self._due(now):
                self._pack(path)
            self.used = self._measured()
            if self.used + needed > TIGHT * self.limit:
                for path in self._written(lambda size, _: size >= _SMALL_BYTES):
                    self._pack(path)
                self.used = self._measured()
            # Once at the bound, a little more goes than must, so that it is not at every line.
            if self.used + needed > self.limit:
                self._shrink(int(0.95 * self.limit) - needed)

    def oldest(self) -> float:
        """Return where the oldest day begins, in seconds of the epoch; now where there is none."""
        found = days(self._root)
        if not found:
            return time.time()
        return datetime.strptime(found[0].name, DAY).replace(tzinfo=timezone.utc).timestamp()

    def _due(self, now: float) -> list[Path]:
        today = f"{datetime.fromtimestamp(now, timezone.utc):{DAY}}"
        left = sorted(self._root.glob(f"*/*/*/*{PACKING}"))
        return left + self._written(
            lambda size, path: (
                size >= LARGE_BYTES
                or (place_at(path).day < today and now - path.stat().st_mtime > SETTLED_SECONDS)
            )
        )

    def _written(self, wanted: Callable[[int, Path], bool]) -> list[Path]:
        """Return files that lines are added to, the largest first."""
        sized = [(path.stat().st_size, path) for path in self._root.glob(f"*/*/*/*{PLAIN}")]
        return [path for size, path in sorted(sized, reverse=True) if wanted(size, path)]

    def _pack(self, path: Path) -> None:
        """Pack a file, each line once: what is left by a crash in between is packed again, and never lost."""
        place = place_at(path)
        packing = path.with_name(f"{place.service}{PACKING}")
        if path != packing:
            if packing.exists():
                self._pack(packing)
            with self.lock:
                path.rename(packing)
        to = place.next_packed(self._root)
        half = to.with_name(to.name + HALF)
        try:
            with packing.open("rb") as lines, half.open("wb") as out:
                with gzip.GzipFile(fileobj=out, mode="wb", compresslevel=6, filename="", mtime=0) as packed:
                    packed.writelines(_once(lines))
                out.flush()
                os.fsync(out.fileno())
        except OSError:
            half.unlink(missing_ok=True)
            raise
        half.rename(to)
        packing.unlink()

    def _expire(self, now: float) -> None:
        first = f"{datetime.fromtimestamp(now, timezone.utc) - timedelta(days=self._days - 1):{DAY}}"
        for day in days(self._root):
            if day.name < first:
                with self.lock:
                    shutil.rmtree(day)

    def _shrink(self, target: int) -> None:
        """Remove the oldest files until all take no more than a target."""
        for day in days(self._root):
            files = sorted(day.glob("*/*/*.jsonl*"), key=lambda path: path.stat().st_mtime)
            for path in files:
                if self.used <= target:
                    return
                with self.lock:
                    self.used -= _taken(path)
                    path.unlink()
                self.removed_early += 1
            with self.lock:
                if not any(day.glob("*/*/*")):
                    shutil.rmtree(day)

    def _measured(self) -> int:
        with self.lock:
            return sum(_taken(path) for path in self._root.glob("*/*/*/*"))


def _taken(path: Path) -> int:
    try:
        return path.stat().st_blocks * 512
    except FileNotFoundError:
        return 0


def _once(lines: Iterator[bytes]) -> Iterator[bytes]:
    """Yield whole lines, of those that came twice the first."""
    seen: set[bytes] = set()
    for line in lines:
        if not line.endswith(b"\n"):
            continue
        found = _ID.search(line)
        number = found[1] if found else line
        if number not in seen:
            seen.add(number)
            yield line
