"""Kernel settings (sysctl) of the running kernel."""

from __future__ import annotations

import os
from pathlib import Path

_ROOT = Path("/proc/sys")
# In a container only these belong to the container; everything else is the whole machine's.
_OF_A_CONTAINER = ("net.", "fs.mqueue.", "kernel.msg", "kernel.sem", "kernel.shm")


def path_of(key: str, root: Path = _ROOT) -> Path:
    """Where the kernel shows a key.

    As in sysctl.d(5): when the first separator is a slash the slashes separate and dots are literal;
    otherwise both change places (net.ipv4.conf.eth0/1.forwarding is about the interface eth0.1).
    """
    first = next((sign for sign in key if sign in "./"), ".")
    if first == ".":
        key = key.translate(str.maketrans("./", "/."))
    return root / key


def in_container() -> bool:
    """Whether this system is a container, as systemd noted at its start."""
    return Path("/run/systemd/container").exists() or Path("/.dockerenv").exists()


def why_not_live(key: str, path: Path, *, container: bool) -> str | None:
    """Why a value cannot be set on the running kernel, None when it can."""
    if container and not key.replace("/", ".").startswith(_OF_A_CONTAINER):
        return "belongs to the machine that runs this container"
    if not path.exists():
        return "this kernel has no such setting"
    if not os.access(path, os.W_OK):
        return "read-only on this system"
    return None


def differs(path: Path, wanted: str) -> bool:
    """Whether the live value is another one; white space is of no account."""
    try:
        return path.read_text(encoding="ascii").split() != wanted.split()
    except OSError:
        return True
