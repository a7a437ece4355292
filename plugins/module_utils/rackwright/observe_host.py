"""What a machine is, read from its files: nothing is started that may change it."""

from __future__ import annotations

import ctypes
import os
import re
import shlex
from pathlib import Path
from typing import Any

SECURE_BOOT = "sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"
# Devices that hold no data of their own.
_NO_DISKS = ("loop", "ram", "zram", "sr", "fd", "dm-", "md", "nbd")
_DISPLAY_CLASSES = ("0x0300", "0x0302", "0x0380")
_NVIDIA = "0x10de"
_TIMEX_BYTES = 512
_TIME_ERROR = 5
_MIB = 1 << 20


def text(path: Path) -> str:
    """The content of a small file; empty when it cannot be read."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


def release(root: Path = Path("/")) -> str:
    """Distribution and release: `debian-13`."""
    values: dict[str, str] = {}
    for name in ("etc/os-release", "usr/lib/os-release"):
        for line in text(root / name).splitlines():
            key, separator, value = line.partition("=")
            if separator and not line.startswith("#"):
                values.setdefault(key.strip(), "".join(shlex.split(value)[:1]))
    version = values.get("VERSION_ID") or values.get("VERSION_CODENAME") or "unknown"
    return f"{values.get('ID', 'linux')}-{version}"


def memory(root: Path = Path("/")) -> dict[str, int]:
    """Memory in MiB: all of it, and what is available now."""
    found = dict(re.findall(r"^(\w+):\s+(\d+) kB", text(root / "proc/meminfo"), re.MULTILINE))
    return {
        "memory_mb": int(found.get("MemTotal", 0)) // 1024,
        "memory_available_mb": int(found.get("MemAvailable", 0)) // 1024,
    }


def disks_gb(root: Path = Path("/")) -> float:
    """All disks together, in GB of 10^9 bytes."""
    total = 0
    for entry in sorted((root / "sys/block").glob("*")):
        size = text(entry / "size")
        if not entry.name.startswith(_NO_DISKS) and size.isdigit() and text(entry / "removable") != "1":
            total += int(size) * 512
    return round(total / 1e9, 1)


def filesystems(paths: list[str], mounts: str) -> list[dict[str, Any]]:
    """What lies under each path: its mount, space and rights. A path that is not there stands for its parent.

    Args:
        paths: Absolute paths.
        mounts: Content of /proc/self/mounts.
    """
    table = []
    for line in mounts.splitlines():
        device, mount, kind, options = line.split()[:4]
        # Spaces and the like are written as octal numbers.
        unescaped = re.sub(r"\\(\d{3})", lambda match: chr(int(match[1], 8)), mount)
        table.append((unescaped, device, kind, options.split(",")))
    found = []
    for path in paths:
        place = existing(path)
        real = str(place.resolve())
        # The last mount on a place hides those before it.
        fitting = [row for row in table if row[0] == "/" or real == row[0] or real.startswith(row[0] + "/")]
        if not fitting:
            continue
        deepest = max(range(len(fitting)), key=lambda number: (len(fitting[number][0]), number))
        mount, device, kind, flags = fitting[deepest]
        about = os.statvfs(place)
        found.append(
            {
                "path": path,
                "mount": mount,
                "device": device,
                "type": kind,
                "size_mb": about.f_blocks * about.f_frsize // _MIB,
                # What root may still use is not what a service may use.
                "free_mb": about.f_bavail * about.f_frsize // _MIB,
                "inodes_free_percent": 100 * about.f_favail // about.f_files if about.f_files else None,
                "read_only": "ro" in flags or bool(about.f_flag & os.ST_RDONLY),
                "noexec": "noexec" in flags,
            }
        )
    return found


def existing(path: str) -> Path:
    """A path, or the nearest of its parents that is there."""
    return next(place for place in (Path(path), *Path(path).parents) if place.exists())


def gpus(root: Path = Path("/")) -> list[dict[str, Any]]:
    """NVIDIA's graphics processors on the PCI bus, with the kernel driver that has each."""
    found = []
    for entry in sorted((root / "sys/bus/pci/devices").glob("*")):
        if text(entry / "vendor") != _NVIDIA or not text(entry / "class").startswith(_DISPLAY_CLASSES):
            continue
        driver = entry / "driver"
        found.append(
            {
                "address": entry.name,
                "id": _pci_id(entry, ""),
                "subsystem": _pci_id(entry, "subsystem_"),
                "driver": driver.resolve().name if driver.exists() else None,
            }
        )
    return found


def _pci_id(entry: Path, prefix: str) -> str:
    parts = (text(entry / f"{prefix}{part}").removeprefix("0x") for part in ("vendor", "device"))
    return ":".join(parts)


def driver_version(root: Path = Path("/")) -> str | None:
    """Version of NVIDIA's kernel module that is loaded; None without one."""
    return text(root / "sys/module/nvidia/version") or None


def secure_boot(root: Path = Path("/")) -> bool | None:
    """Whether the firmware checks what it starts; None where there is no such firmware."""
    try:
        # Four bytes of attributes come before the value.
        return (root / SECURE_BOOT).read_bytes()[4:5] == b"\x01"
    except OSError:
        return None


def cgroup_version(root: Path = Path("/")) -> int:
    """Version of the hierarchy at /sys/fs/cgroup: 2 when it is the unified one."""
    return 2 if (root / "sys/fs/cgroup/cgroup.controllers").exists() else 1


def is_container(root: Path = Path("/")) -> bool:
    """Whether this is a container, as systemd notes it when it starts."""
    return (root / "run/systemd/container").exists() or (root / ".dockerenv").exists()


def clock_synchronised() -> bool | None:
    """Whether the kernel holds its clock for right; None when it does not say. Nothing is set."""
    try:
        state = ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.create_string_buffer(_TIMEX_BYTES))
    except (OSError, AttributeError):
        return None
    return None if state < 0 else bool(state != _TIME_ERROR)


def installed_packages(wanted: frozenset[str], root: Path = Path("/")) -> list[str]:
    """Which of the packages are installed, by dpkg's own list."""
    found = []
    for paragraph in text(root / "var/lib/dpkg/status").split("\n\n"):
        name = paragraph.partition("\n")[0].removeprefix("Package: ")
        if name in wanted and "\nStatus: install ok installed" in paragraph:
            found.append(name)
    return sorted(set(found))
