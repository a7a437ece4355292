"""Processors, memory, disks, file systems and network of a machine, from what host_scan read."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from rackwright.hardware.model import Cpu, Disk, DiskKind, Filesystem, NetworkInterface, NumaNode
from rackwright.hardware.reading import ReadingError, clean, number

_SECTOR = 512
_MIB = 1024 * 1024
# Free space is told in whole GiB, or every scan would differ from the one before.
_FREE_STEP_MB = 1024
_NO_DISKS = re.compile(r"(loop|ram|zram|sr|fd|nbd|dm-|md|zd|drbd)\d|nvme\d+c\d+n\d+$")
_VIRTUAL_MODELS = re.compile(
    r"QEMU|VBOX|VMware|Virtual|Msft|PersistentDisk|nvme_card|Amazon Elastic|Elastic Block", re.IGNORECASE
)
_DATA_FILE_SYSTEMS = {"ext2", "ext3", "ext4", "xfs", "btrfs", "zfs", "f2fs", "jfs", "bcachefs", "reiserfs"}
_NOT_FOR_DATA = re.compile(
    r"/(boot|run|snap|proc|sys|dev)(/|$)|/var/lib/(docker|containers|kubelet|lxc|lxd)/"
)
# What container and VM software makes and takes away again.
_PASSING_INTERFACES = re.compile(
    r"(lo|veth\w*|docker\d*|br-[0-9a-f]{12}|virbr\d+\S*|vnet\d+|tap\d*\S*|tun\d*|cni\S*|cali\S*|flannel\S*|"
    r"lxc\S*|lxdbr\d+|dummy\d*|kube-\S+|cilium\S*|sit\d+|ip6tnl\d+|tunl\d+|gre\d+)$"
)


def cpu(lscpu: str, usable: int) -> Cpu:
    """Read the text of lscpu.

    Args:
        lscpu: its output in English; empty where the host has no lscpu.
        usable: logical processors that the host may use; fewer than the machine has in a container.

    Raises:
        ReadingError: it is cut off.
    """
    if not lscpu.strip():
        return Cpu(model="unknown", sockets=1, cores=usable, threads=usable)
    pairs = (line.split(":", 1) for line in lscpu.splitlines() if ":" in line)
    values = {key.strip(): value.strip() for key, value in pairs}
    for needed in ("CPU(s)", "Socket(s)"):
        if needed not in values:
            raise ReadingError("lscpu", f"it has no line `{needed}`")
    total = number("lscpu, CPU(s)", values["CPU(s)"])
    # On Arm, lscpu counts clusters and writes a dash for the sockets that the firmware does not tell.
    sockets = _count(values["Socket(s)"])
    cores = _count(values.get("Core(s) per socket", "-")) * sockets
    if cores == 0:
        cores = _count(values.get("Core(s) per cluster", "-")) * _count(values.get("Cluster(s)", "-"))
    if cores == 0:
        cores = total // max(_count(values.get("Thread(s) per core", "1")), 1)
    named = (values.get(key, "-") for key in ("Model name", "BIOS Model name", "Vendor ID"))
    model = next((name for name in named if name not in {"", "-"}), "unknown")
    return Cpu(model=clean(model), sockets=max(sockets, 1), cores=max(min(cores, usable), 1), threads=usable)


def _count(text: str) -> int:
    return 0 if text == "-" else number("lscpu", text)


def memory_mb(meminfo: str) -> int:
    """Return the machine's memory in MiB, from /proc/meminfo.

    Raises:
        ReadingError: it does not tell the memory, or is cut off in the number.
    """
    match = re.search(r"^MemTotal:\s+(\d+) kB$", meminfo, re.MULTILINE)
    if not match:
        raise ReadingError("/proc/meminfo", "it has no whole line `MemTotal`")
    return int(match[1]) // 1024


def numa(nodes: Iterable[Mapping[str, str]], machine_mb: int) -> list[NumaNode]:
    """Return the NUMA nodes, by number.

    Args:
        nodes: as the kernel tells them.
        machine_mb: memory of the machine in MiB; it is that of an only node, whose own account goes up and
            down in a virtual machine that gets and gives memory.

    Raises:
        ReadingError: a node's memory is not told.
    """
    found = []
    for node in nodes:
        match = re.search(r"MemTotal:\s+(\d+) kB$", node["meminfo"], re.MULTILINE)
        if not match:
            raise ReadingError(f"NUMA node {node['node']}", "its memory is not told")
        found.append(
            NumaNode(
                node=number("NUMA node", node["node"]),
                cpus=clean(node["cpus"]),
                memory_mb=int(match[1]) // 1024,
            )
        )
    if len(found) == 1:
        return [found[0].model_copy(update={"memory_mb": machine_mb})]
    return sorted(found, key=lambda node: node.node)


def disks(entries: Iterable[Mapping[str, str]]) -> list[Disk]:
    """Return the disks by name; no loops, volumes, arrays, and nothing that can be pulled out or is empty.

    Raises:
        ReadingError: a disk's size is no number.
    """
    found = []
    for entry in entries:
        name = entry["name"]
        if _NO_DISKS.match(name) or not entry["bus"] or entry["removable"] == "1":
            continue
        size = number(f"/sys/block/{name}/size", entry["sectors"]) * _SECTOR
        if size:
            model = clean(entry["model"])
            found.append(Disk(name=clean(name), kind=_kind(entry), size_gb=round(size / 1e9), model=model))
    return sorted(found, key=lambda disk: disk.name)


def _kind(entry: Mapping[str, str]) -> DiskKind:
    # First what a virtual machine calls its disks: those say nothing true about turning.
    if re.match(r"(vd|xvd)", entry["name"]) or _VIRTUAL_MODELS.search(entry["model"]):
        return "virtual"
    if entry["name"].startswith("nvme"):
        return "nvme"
    return "hdd" if entry["rotational"] == "1" else "ssd"


def filesystems(mounts: Iterable[Mapping[str, Any]]) -> list[Filesystem]:
    """Return the file systems that may hold data, by mount point; each once, where it is mounted shortest."""
    found: dict[object, Filesystem] = {}
    # Of several on one mount point the last is the one that is seen.
    visible = {mount["mount"]: mount for mount in mounts}.values()
    for mount in sorted(visible, key=lambda entry: (len(entry["mount"]), entry["mount"])):
        kind, place = mount["type"], mount["mount"]
        container_root = kind == "overlay" and place == "/"
        if not container_root and (kind not in _DATA_FILE_SYSTEMS or _NOT_FOR_DATA.match(place)):
            continue
        # Subvolumes of one btrfs have devices of their own and the whole's size.
        key = (kind, mount["size"]) if kind == "btrfs" else mount["device"]
        free = int(mount["free"]) // _MIB
        found.setdefault(
            key,
            Filesystem(
                mount=clean(place),
                type=clean(kind),
                disk=clean(mount["disk"]),
                size_mb=int(mount["size"]) // _MIB,
                free_mb=free - free % _FREE_STEP_MB,
            ),
        )
    return sorted(found.values(), key=lambda entry: entry.mount)


def network(interfaces: Iterable[Mapping[str, Any]]) -> list[NetworkInterface]:
    """Return the interfaces that are up and that neither loop back nor belong to containers, by name."""
    found = []
    for entry in interfaces:
        own = entry["kind"] in {"physical", "bond"}
        if entry["operstate"] == "down" or _PASSING_INTERFACES.match(entry["name"]):
            continue
        if not own and not entry["addresses"]:
            continue
        # A virtual interface claims 10 Gbit/s, or what its slowest port has: only links of its own count.
        speed = entry["speed"] if own and str(entry["speed"]).isdigit() else ""
        found.append(
            NetworkInterface(
                name=clean(entry["name"]),
                speed_mbps=int(speed) or None if speed else None,
                addresses=sorted(clean(address) for address in entry["addresses"]),
                mtu=number(f"MTU of {clean(entry['name'])}", entry["mtu"]),
            )
        )
    return sorted(found, key=lambda interface: interface.name)
