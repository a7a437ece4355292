"""What the kernel tells of a machine in /proc and /sys, as it stands there; nothing is interpreted."""

from __future__ import annotations

import array
import fcntl
import os
import socket
import struct
from pathlib import Path
from typing import Any

# Of every PCI device only those that can be a GPU or join GPUs are told: display controllers (03..) and the
# NVSwitches, which are bridges of "other" kind (0680).
_PCI_CLASSES = ("0x0300", "0x0302", "0x0680")
_SECURE_BOOT = "SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"
# Never asked for their free space: a server that is gone would hold the scan up for minutes.
_REMOTE_FILE_SYSTEMS = ("nfs", "nfs4", "cifs", "smb3", "ceph", "9p", "fuse.sshfs", "autofs", "glusterfs")
_SIOCGIFCONF = 0x8912


def text(path: Path) -> str:
    """The content of a small file without its last newline; empty where it cannot be read."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").rstrip("\n")
    except OSError:
        # The kernel refuses single values of /sys (the speed of a link that is down, say).
        return ""


def entries(path: Path) -> list[Path]:
    """The entries of a directory by name; none where there is no such directory."""
    try:
        return sorted(path.iterdir())
    except OSError:
        return []


def pci_devices(sys: Path) -> list[dict[str, str]]:
    """Display controllers and NVSwitches on the PCI bus."""
    found = []
    for device in entries(sys / "bus/pci/devices"):
        kind = text(device / "class")
        if kind.startswith(_PCI_CLASSES):
            names = ("vendor", "device", "subsystem_vendor", "subsystem_device")
            values = {name: text(device / name) for name in names}
            driver = device / "driver"
            bound = driver.resolve().name if driver.exists() else ""
            # A virtual function has its card's id; only the card itself is a GPU.
            part_of = (device / "physfn").resolve().name if (device / "physfn").exists() else ""
            found.append(
                {"address": device.name, "class": kind, "driver": bound, "part_of": part_of, **values}
            )
    return found


def numa_nodes(sys: Path) -> list[dict[str, str]]:
    """NUMA nodes: their processors and the kernel's account of their memory."""
    return [
        {
            "node": node.name[len("node") :],
            "cpus": text(node / "cpulist"),
            "meminfo": "\n".join(text(node / "meminfo").splitlines()[:1]),
        }
        for node in entries(sys / "devices/system/node")
        if node.name[len("node") :].isdigit() and node.name.startswith("node")
    ]


def disks(sys: Path) -> list[dict[str, str]]:
    """Block devices that are no partitions."""
    return [
        {
            "name": disk.name,
            "sectors": text(disk / "size"),
            "rotational": text(disk / "queue/rotational"),
            "model": text(disk / "device/model"),
            "removable": text(disk / "removable"),
            # A device of its own on a bus; device mapper, md, loop and zram have none.
            "bus": "yes" if (disk / "device").exists() else "",
        }
        for disk in entries(sys / "block")
    ]


def disk_of(sys: Path, device: str) -> str:
    """The disk under a block device (`8:1`): its parent for a partition, the first one below for a volume."""
    entry = sys / "dev/block" / device
    if not entry.exists():
        return ""
    place = entry.resolve()
    if (place / "partition").exists():
        place = place.parent
    below = entries(place / "slaves")
    if below:
        return disk_of(sys, text(below[0] / "dev"))
    return place.name


def mounts(sys: Path, mountinfo: str) -> list[dict[str, Any]]:
    """Mounted local file systems with their sizes in bytes; one entry for each mount point."""
    found = []
    for line in mountinfo.splitlines():
        head, _, tail = line.partition(" - ")
        fields, rest = head.split(), tail.split()
        if len(fields) < 5 or not rest:  # noqa: PLR2004 - proc(5): id, parent, device, root, mount point
            continue
        mount, kind = fields[4].replace("\\040", " "), rest[0]
        if kind in _REMOTE_FILE_SYSTEMS or not Path(mount).is_dir():
            continue
        try:
            size = os.statvfs(mount)
        except OSError:
            continue
        if size.f_blocks:
            found.append(
                {
                    "mount": mount,
                    "type": kind,
                    "device": fields[2],
                    "disk": disk_of(sys, fields[2]),
                    "size": size.f_blocks * size.f_frsize,
                    "free": size.f_bavail * size.f_frsize,
                }
            )
    return found


def interfaces(sys: Path, inet6: str) -> list[dict[str, Any]]:
    """Network interfaces with their addresses."""
    addresses = _ipv4()
    for name, address in _ipv6(inet6):
        addresses.setdefault(name, []).append(address)
    found = []
    for entry in entries(sys / "class/net"):
        kinds = {"physical": "device", "bond": "bonding", "bridge": "bridge"}
        kind = next((name for name, mark in kinds.items() if (entry / mark).exists()), "virtual")
        names = ("operstate", "speed", "mtu", "type")
        values = {name: text(entry / name) for name in names}
        found.append({"name": entry.name, "kind": kind, "addresses": addresses.get(entry.name, []), **values})
    return found


def _ipv4() -> dict[str, list[str]]:
    """IPv4 addresses by interface, asked of the kernel: no program has to be there."""
    # An entry is the interface's name (16 bytes) and a socket address, 40 bytes on 64-bit machines.
    size, room = 40, 40 * 1024
    found: dict[str, list[str]] = {}
    buffer = array.array("B", bytes(room))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
        request = struct.pack("iL", room, buffer.buffer_info()[0])
        used = struct.unpack("iL", fcntl.ioctl(asked.fileno(), _SIOCGIFCONF, request))[0]
    told = buffer.tobytes()[:used]
    for start in range(0, used, size):
        name = told[start : start + 16].split(b"\0", 1)[0].decode()
        # The name of an alias (eth0:1) is its interface's.
        found.setdefault(name.split(":")[0], []).append(socket.inet_ntoa(told[start + 20 : start + 24]))
    return found


def _ipv6(inet6: str) -> list[tuple[str, str]]:
    """Global IPv6 addresses by interface, of /proc/net/if_inet6."""
    lines = (line.split() for line in inet6.splitlines())
    return [
        (fields[5], socket.inet_ntop(socket.AF_INET6, bytes.fromhex(fields[0])))
        for fields in lines
        if len(fields) == 6 and fields[3] == "00"  # noqa: PLR2004 - the scope that is valid everywhere
    ]


def secure_boot(sys: Path) -> str:
    """`on` or `off`; empty where the firmware does not say."""
    if not (sys / "firmware/efi").exists():
        # Without EFI there is no Secure Boot. In a container the directory is hidden: the caller knows.
        return "off" if (sys / "firmware").exists() and entries(sys / "firmware") else ""
    try:
        value = (sys / "firmware/efi/efivars" / _SECURE_BOOT).read_bytes()
    except OSError:
        return ""
    # Four bytes of attributes, then the value (UEFI specification, globally defined variables).
    return {b"\0": "off", b"\1": "on"}.get(value[4:5], "")
