"""Remembers which contents were read and found whole, with what changes whenever a file does."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from rackwright.site.paths import cache_directory


class Stamps:
    """The memory of one bundle, in this user's cache: never on the medium, which others may write to."""

    def __init__(self, directory: Path) -> None:
        name = hashlib.sha256(str(directory.resolve()).encode()).hexdigest()[:32]
        self._path = cache_directory("bundles") / f"{name}.json"
        try:
            self._known: dict[str, list[int]] = json.loads(self._path.read_text(encoding="ascii"))
        except (OSError, ValueError):
            self._known = {}
        self._seen: dict[str, list[int]] = {}

    @staticmethod
    def _identity(path: Path) -> list[int]:
        status = path.stat()
        return [status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns]

    def holds(self, path: Path, sha256: str) -> bool:
        """Tell whether a content was read before and its file is the same since."""
        if not path.is_file() or self._known.get(sha256) != self._identity(path):
            return False
        self._seen[sha256] = self._known[sha256]
        return True

    def remember(self, path: Path, sha256: str) -> None:
        """Note that a content has just been read and was whole."""
        self._seen[sha256] = self._identity(path)

    def keep(self) -> None:
        """Write down what this look has found whole, and forget the rest."""
        draft = self._path.with_suffix(".new")
        draft.write_text(json.dumps(self._seen), encoding="ascii")
        draft.replace(self._path)
