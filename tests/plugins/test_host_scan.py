"""host_scan: what it reads from /proc and /sys, and that it runs anywhere."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, TypeAlias

import pytest

from rackwright.hardware.build import hardware_of

Load: TypeAlias = Callable[[str, str], ModuleType]
RunModule: TypeAlias = Callable[..., dict[str, Any]]


@pytest.fixture
def files(load: Load) -> ModuleType:
    return load("module_utils/rackwright", "machine_files")


@pytest.fixture
def scan(load: Load) -> ModuleType:
    return load("modules", "host_scan")


def lay(root: Path, **contents: str) -> None:
    """Write files below a directory; two underscores part the names of directories."""
    for name, content in contents.items():
        path = root.joinpath(*name.split("__"))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content + "\n")


def test_display_controllers_and_nvswitches(files: ModuleType, tmp_path: Path) -> None:
    bus = tmp_path / "bus/pci/devices"
    kinds = {"0000:01:00.0": "0x030000", "0000:02:00.0": "0x020000", "0000:03:00.0": "0x068000"}
    for address, kind in kinds.items():
        lay(bus / address, vendor="0x10de", device="0x2204", **{"class": kind})
    lay(bus / "0000:01:00.0", subsystem_vendor="0x1458", subsystem_device="0x403b")
    (tmp_path / "drivers/nvidia").mkdir(parents=True)
    (bus / "0000:01:00.0/driver").symlink_to(tmp_path / "drivers/nvidia")
    lay(bus / "0000:01:00.4", vendor="0x10de", device="0x2204", **{"class": "0x030200"})
    (bus / "0000:01:00.4/physfn").symlink_to(bus / "0000:01:00.0")
    found = files.pci_devices(tmp_path)
    assert [(entry["address"], entry["driver"], entry["part_of"]) for entry in found] == [
        ("0000:01:00.0", "nvidia", ""),
        ("0000:01:00.4", "", "0000:01:00.0"),
        ("0000:03:00.0", "", ""),
    ]
    assert found[0]["subsystem_device"] == "0x403b"


def test_a_machine_without_a_pci_bus(files: ModuleType, tmp_path: Path) -> None:
    assert files.pci_devices(tmp_path) == []
    assert files.numa_nodes(tmp_path) == []
    assert files.disks(tmp_path) == []
    assert files.interfaces(tmp_path, "") == []


def test_numa_nodes(files: ModuleType, tmp_path: Path) -> None:
    nodes = tmp_path / "devices/system/node"
    for number in (0, 1):
        lay(nodes / f"node{number}", cpulist=f"{number}-3", meminfo=f"Node {number} MemTotal: 1 kB\nrest")
    lay(nodes, online="0-1")
    assert files.numa_nodes(tmp_path) == [
        {"node": "0", "cpus": "0-3", "meminfo": "Node 0 MemTotal: 1 kB"},
        {"node": "1", "cpus": "1-3", "meminfo": "Node 1 MemTotal: 1 kB"},
    ]


@pytest.mark.parametrize(
    ("device", "disk"), [("8:1", "sda"), ("8:0", "sda"), ("253:0", "nvme0n1"), ("0:50", "")]
)
def test_the_disk_under_a_file_system(files: ModuleType, tmp_path: Path, device: str, disk: str) -> None:
    devices = tmp_path / "devices"
    lay(devices / "sda", dev="8:0")
    lay(devices / "sda/sda1", dev="8:1", partition="1")
    lay(devices / "nvme0n1", dev="259:0")
    lay(devices / "nvme0n1/nvme0n1p3", dev="259:3", partition="3")
    # An encrypted volume in a volume group on a partition.
    lay(devices / "dm-1", dev="253:1")
    lay(devices / "dm-0", dev="253:0")
    for upper, lower in (("dm-0", "dm-1"), ("dm-1", "nvme0n1/nvme0n1p3")):
        (devices / upper / "slaves").mkdir()
        (devices / upper / "slaves" / Path(lower).name).symlink_to(devices / lower)
    numbers = tmp_path / "dev/block"
    numbers.mkdir(parents=True)
    for path in devices.rglob("dev"):
        (numbers / path.read_text().strip()).symlink_to(path.parent)
    assert files.disk_of(tmp_path, device) == disk


def test_mounts_are_measured_and_remote_ones_are_not_touched(
    files: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "with space"
    place.mkdir()
    asked = []
    statvfs = os.statvfs

    def measured(path: str) -> os.statvfs_result:
        asked.append(path)
        return statvfs(path)

    monkeypatch.setattr(os, "statvfs", measured)
    shown = str(place).replace(" ", "\\040")
    info = (
        f"22 1 8:1 / {shown} rw,relatime shared:1 - ext4 /dev/sda1 rw\n"
        f"23 1 0:60 / {shown} rw - nfs4 server:/export rw\n"
        "24 1 0:5 / /not/there rw - ext4 /dev/sdb rw\n"
        "cut off\n"
        "25 1 8:1\n"
    )
    found = files.mounts(tmp_path, info)
    assert [(entry["mount"], entry["type"], entry["device"]) for entry in found] == [
        (str(place), "ext4", "8:1")
    ]
    assert 0 < found[0]["free"] <= found[0]["size"]
    assert asked == [str(place)]


def test_interfaces_and_their_addresses(files: ModuleType, tmp_path: Path) -> None:
    net = tmp_path / "class/net"
    lay(net / "lo", operstate="unknown", mtu="65536", type="772")
    lay(net / "eth9", operstate="up", mtu="1500", type="1", speed="25000")
    (net / "eth9/device").mkdir()
    lay(net / "bond0", operstate="up", mtu="1500", type="1", bonding__mode="802.3ad 4")
    inet6 = (
        "20010db8000000000000000000000021 02 40 00 80     eth9\n"
        "fe800000000000000000000000000001 02 40 20 80     eth9\n"
    )
    found = {entry["name"]: entry for entry in files.interfaces(tmp_path, inet6)}
    assert {name: entry["kind"] for name, entry in found.items()} == {
        "lo": "virtual",
        "eth9": "physical",
        "bond0": "bond",
    }
    assert found["eth9"]["addresses"] == ["2001:db8::21"]
    assert found["eth9"]["speed"] == "25000"
    # The running kernel's loopback has its address.
    assert "127.0.0.1" in found["lo"]["addresses"]


@pytest.mark.parametrize(
    ("variable", "told"), [(b"\x06\0\0\0\x01", "on"), (b"\x06\0\0\0\0", "off"), (b"", ""), (None, "")]
)
def test_secure_boot(files: ModuleType, tmp_path: Path, variable: bytes | None, told: str) -> None:
    efi = tmp_path / "firmware/efi/efivars"
    efi.mkdir(parents=True)
    if variable is not None:
        (efi / "SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c").write_bytes(variable)
    assert files.secure_boot(tmp_path) == told


def test_no_secure_boot_without_efi(files: ModuleType, tmp_path: Path) -> None:
    assert files.secure_boot(tmp_path) == ""
    (tmp_path / "firmware/dmi").mkdir(parents=True)
    assert files.secure_boot(tmp_path) == "off"


def answers(
    monkeypatch: pytest.MonkeyPatch, scan: ModuleType, table: dict[str, tuple[int, str]]
) -> list[str]:
    """Let programs answer by the longest of the keys that begins their command line."""
    asked = []

    def run(argv: list[str], timeout: float | None = None) -> SimpleNamespace:  # noqa: ARG001 - as the real one
        line = " ".join(argv)
        asked.append(line)
        fitting = sorted((key for key in table if line.startswith(key)), key=len)
        rc, out = table[fitting[-1]] if fitting else (127, "")
        return SimpleNamespace(rc=rc, stdout=out, stderr="")

    monkeypatch.setattr(scan.command, "run", run)
    return asked


def test_without_a_driver_nvidia_smi_is_asked_once(scan: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = answers(monkeypatch, scan, {})
    assert scan.nvidia_programs(5)["nvidia_csv"]["rc"] == 127
    assert len(asked) == 1


def test_one_gpu_is_joined_to_nobody(scan: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = answers(monkeypatch, scan, {"nvidia-smi": (0, "head\none\n")})
    assert set(scan.nvidia_programs(5)) == {"nvidia_csv"}
    assert "compute_cap" in asked[0]


def test_two_gpus_are_asked_how_they_are_joined(scan: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    answers(
        monkeypatch,
        scan,
        {
            "nvidia-smi --query": (0, "head\none\ntwo\n"),
            "nvidia-smi topo -m": (0, "matrix"),
            "nvidia-smi -q -x": (0, "<x/>"),
        },
    )
    found = scan.nvidia_programs(5)
    assert found["nvidia_topology"]["out"] == "matrix"
    assert found["nvidia_xml"]["out"] == "<x/>"


def test_an_old_driver_is_asked_again_without_the_field_it_lacks(
    scan: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = answers(
        monkeypatch, scan, {"nvidia-smi --query": (2, 'Field "compute_cap" is not a valid field to query.\n')}
    )
    scan.nvidia_programs(5)
    assert ["compute_cap" in line for line in asked] == [True, False]


def test_kind_of_machine(scan: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    # systemd-detect-virt has exit status 1 on bare metal.
    answers(monkeypatch, scan, {"systemd-detect-virt": (1, "none\n")})
    assert scan.virtualization() == "none"
    answers(monkeypatch, scan, {"systemd-detect-virt": (0, "kvm\n")})
    assert scan.virtualization() == "kvm"


@pytest.mark.parametrize("check", [False, True])
def test_this_machine(run_module: RunModule, check: bool) -> None:
    result = run_module("host_scan", {"timeout": 20}, check=check)
    assert not result["failed"]
    assert not result["changed"]
    # What comes back must survive the way to the control node.
    hardware, _ = hardware_of("here", json.loads(json.dumps(result["raw"])))
    meminfo = Path("/proc/meminfo").read_text()
    assert hardware.memory_mb == int(meminfo.split("MemTotal:")[1].split()[0]) // 1024
    assert hardware.cpu.threads == len(os.sched_getaffinity(0))
    assert hardware.system.kernel == os.uname().release
    assert hardware.filesystems
