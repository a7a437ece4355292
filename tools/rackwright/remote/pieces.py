"""Sending a large file over a connection piece by piece, so that what a cut costs is one piece."""

from __future__ import annotations

import shlex

# Bytes that go over the connection at a time.
PIECE = 16 << 20


def written_at(target: str, place: int) -> str:
    """Return the command that writes its input into a file of the host.

    At its place, not at the end: whoever sends the same again does no harm.

    Args:
        target: Path of the file, which need not exist.
        place: Where the piece begins, in bytes.
    """
    return f"dd of={shlex.quote(target)} bs=1M conv=notrunc oflag=seek_bytes seek={place} status=none"
