"""Kernel settings (sysctl) of the running kernel."""

from __future__ import annotations

import os
from dataclasses import dataclass
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


@dataclass(frozen=True)
class LiveSetting:
    """What became of a value: whether it differed, or the obstacle to setting it."""

    changed: bool
    obstacle: str | None = None


def set_live(key: str, wanted: str, *, check: bool) -> LiveSetting:
    """Set a value on the running kernel, when it differs and can be set; with `check` only say so.

    Raises:
        OSError: The kernel refuses the value.
    """
    path = path_of(key)
    obstacle = why_not_live(key, path, container=in_container())
    if obstacle:
        return LiveSetting(changed=False, obstacle=obstacle)
    changed = differs(path, wanted)
    if changed and not check:
        path.write_text(wanted, encoding="ascii")
    return LiveSetting(changed=changed)
