"""Chains audit lines, so that one that is removed or changed is found.

Every process writes a chain of its own: each line carries the chain's name, its number in it, and a keyed
hash over the line and the hash before it. Who has no key can neither change a line nor close a gap.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import uuid
from collections.abc import Mapping
from typing import Any


def encoded(record: Mapping[str, object]) -> bytes:
    """Returns a record as its line has it, without the line break."""
    return json.dumps(record, ensure_ascii=True, separators=(",", ":"), default=str).encode()


def link(key: bytes, before: str, record: Mapping[str, object]) -> str:
    """Returns the hash of a record that follows another.

    Args:
        key: The site's audit key.
        before: The hash of the line before, empty for the first one.
        record: The record without its hash.
    """
    return hmac.new(key, before.encode() + b"\n" + encoded(record), hashlib.sha256).hexdigest()


class Chain:
    """The chain of one process."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._name = uuid.uuid4().hex[:16]
        self._number = 0
        self._before = ""

    def add(self, record: Mapping[str, object]) -> dict[str, Any]:
        """Returns a record with its place in the chain."""
        self._number += 1
        placed = {**record, "chain": self._name, "seq": self._number}
        self._before = link(self._key, self._before, placed)
        return {**placed, "hash": self._before}
