"""Whose files are, who may read them, and whether a private key is among what they hold."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

# A key with its certificates.
_LARGEST = 256 << 10


def of_files(directories: list[str]) -> list[dict[str, Any]]:
    """List the files below directories: path, owner, group, mode, private (a private key is in it)."""
    found = []
    for path in sorted(path for directory in directories for path in Path(directory).rglob("*")):
        try:
            about = path.lstat()
            if not stat.S_ISREG(about.st_mode):
                continue
            content = path.read_bytes() if about.st_size <= _LARGEST else b""
        except OSError:
            continue
        try:
            owner, group = path.owner(), path.group()
        except KeyError:
            owner, group = str(about.st_uid), str(about.st_gid)
        mode, private = f"{stat.S_IMODE(about.st_mode):04o}", b"PRIVATE KEY-----" in content
        found.append({"path": str(path), "owner": owner, "group": group, "mode": mode, "private": private})
    return found
