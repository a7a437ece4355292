"""Readers of programs' outputs: unknown lines are passed over, cut-off outputs are errors, never numbers."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from recorded_machines import MACHINES, text

from rackwright.hardware import machine, smi
from rackwright.hardware.build import release
from rackwright.hardware.pci import address_of, from_lspci, from_sysfs
from rackwright.hardware.reading import ReadingError, clean

WITH_CSV = [name for name in MACHINES if text(name, "nvidia-smi.csv")]
WITH_XML = [name for name in MACHINES if text(name, "nvidia-smi.xml")]
# A line that no program of ours prints at its start.
NOISE = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=60).map(lambda line: f"# {line}")


@pytest.mark.parametrize(
    ("given_", "address"),
    [
        ("00000000:3B:00.0", "0000:3b:00.0"),
        ("3b:00.0", "0000:3b:00.0"),
        ("0000:3b:00.0", "0000:3b:00.0"),
        ("00000009:01:00.0", "0009:01:00.0"),
        ("10000:e1:00.0", "10000:e1:00.0"),
    ],
)
def test_addresses(given_: str, address: str) -> None:
    assert address_of(given_) == address


@pytest.mark.parametrize("wrong", ["", "3b:00", "3b:00.8", "GPU-1234", "0000:3b:00.0 "])
def test_no_addresses(wrong: str) -> None:
    with pytest.raises(ReadingError):
        address_of(wrong)


@given(noise=st.lists(NOISE, max_size=5), where=st.integers(0, 20), name=st.sampled_from(MACHINES))
def test_lspci_passes_unknown_lines_over(noise: list[str], where: int, name: str) -> None:
    lines = text(name, "lspci.txt").splitlines()
    mixed = [*lines[:where], *noise, *lines[where:]]
    assert from_lspci("\n".join(mixed)) == from_lspci("\n".join(lines))


@given(cut=st.integers(1, 100), name=st.sampled_from(WITH_CSV))
def test_lspci_cut_off_is_an_error_or_what_was_whole(cut: int, name: str) -> None:
    whole = text(name, "lspci.txt")
    part = whole[:-cut]
    try:
        found = from_lspci(part)
    except ReadingError:
        return
    known = {device.address: device.pci_id for device in from_lspci(whole)}
    assert all(known[device.address] == device.pci_id for device in found)


def test_lspci_without_numbers_is_refused() -> None:
    with pytest.raises(ReadingError, match="no ids"):
        from_lspci(
            "01:00.0 VGA compatible controller: NVIDIA Corporation GA102 [GeForce RTX 3090] (rev a1)\n"
        )


def test_a_gpu_of_another_vendor_is_none_of_ours() -> None:
    found = from_lspci(
        "03:00.0 VGA compatible controller [0300]: Advanced Micro Devices, Inc. [AMD/ATI] Navi 31 "
        "[Radeon RX 7900 XT/7900 XTX] [1002:744c] (rev c8) (prog-if 00 [VGA controller])\n"
    )
    assert [(device.pci_id, device.is_gpu) for device in found] == [("1002:744c", False)]


@pytest.mark.parametrize("field", ["vendor", "device", "class"])
@pytest.mark.parametrize("value", ["", "0x10d", "10de", "0x10dg"])
def test_sysfs_values_that_are_none(field: str, value: str) -> None:
    entry = {"address": "0000:01:00.0", "class": "0x030000", "vendor": "0x10de", "device": "0x2204"}
    with pytest.raises(ReadingError):
        from_sysfs([{**entry, field: value}])


@given(cut=st.integers(1, 400), name=st.sampled_from(WITH_CSV))
def test_csv_cut_off_is_an_error_or_whole_lines(cut: int, name: str) -> None:
    whole = text(name, "nvidia-smi.csv")
    try:
        found = smi.from_csv(whole[:-cut])
    except ReadingError:
        return
    full = smi.from_csv(whole)
    assert found == full[: len(found)]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("24576 MiB", "24576"),
        ("24576 MiB", "24.5 GiB"),
        ("24576 MiB", ""),
        ("00000000:01:00.0", "GPU0"),
        ("memory.total [MiB]", "memory.used [MiB]"),
        (", 595.71.05", ""),
    ],
)
def test_csv_with_a_strange_value_is_refused(old: str, new: str) -> None:
    with pytest.raises(ReadingError):
        smi.from_csv(text("rtx3090", "nvidia-smi.csv").replace(old, new, 1))


def test_csv_of_a_driver_that_has_no_value() -> None:
    shared = text("rtx3090", "nvidia-smi.csv").replace("24576 MiB", "[N/A]").replace("8.6", "[N/A]")
    assert smi.from_csv(shared)[0].vram_mb == 0
    assert smi.from_csv(shared)[0].capability == ""
    old = text("rtx3090", "nvidia-smi.csv").replace(", compute_cap", "").replace(", 8.6", "")
    assert smi.from_csv(old)[0].capability == ""


@pytest.mark.parametrize("output", ["", "No devices were found\n", "NVIDIA-SMI has failed\n"])
def test_csv_without_its_header_is_refused(output: str) -> None:
    with pytest.raises(ReadingError, match="column"):
        smi.from_csv(output)


@given(cut=st.integers(1, 3000), name=st.sampled_from(WITH_XML))
def test_xml_cut_off_is_an_error(cut: int, name: str) -> None:
    whole = text(name, "nvidia-smi.xml").rstrip()
    with pytest.raises(ReadingError):
        smi.from_xml(whole[:-cut])


def test_xml_of_a_gpu_without_memory_is_refused() -> None:
    whole = text("t4", "nvidia-smi.xml").replace("fb_memory_usage", "fb_memory_use")
    with pytest.raises(ReadingError, match="fb_memory_usage"):
        smi.from_xml(whole)


@given(cut=st.integers(1, 1200))
def test_topology_cut_off_is_an_error_or_whole(cut: int) -> None:
    whole = text("h100-sxm-8", "topo.txt")
    try:
        found = smi.nvlinks(whole[:-cut])
    except ReadingError:
        return
    assert found == smi.nvlinks(whole)


@pytest.mark.parametrize(("old", "new"), [("NV12", "NV"), ("NV12", "ABC"), ("GPU1\t", "XPU1\t"), (" X ", "")])
def test_topology_with_a_strange_cell_is_refused(old: str, new: str) -> None:
    with pytest.raises(ReadingError):
        smi.nvlinks(text("a100-pcie-2", "topo.txt").replace(old, new))


def test_topology_with_network_cards_and_pairs() -> None:
    # Four A100s of which two and two are bridged, with a network card.
    whole = (
        "\tGPU0\tGPU1\tGPU2\tGPU3\tmlx5_0\tCPU Affinity\tNUMA Affinity\n"
        "GPU0\t X \tNV12\tSYS\tSYS\tNODE\t0-23\t0\n"
        "GPU1\tNV12\t X \tSYS\tSYS\tNODE\t24-47\t1\n"
        "GPU2\tSYS\tSYS\t X \tNV12\tSYS\t48-71\t2\n"
        "GPU3\tSYS\tSYS\tNV12\t X \tSYS\t72-95\t3\n"
        "mlx5_0\tNODE\tNODE\tSYS\tSYS\t X \t\t\n"
    )
    assert smi.nvlinks(whole) == {0: [1], 1: [0], 2: [3], 3: [2]}


@pytest.mark.parametrize(
    ("content", "version"),
    [
        (
            "NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.54.15  Tue Mar  5 22:23:56 UTC 2024\n",
            "550.54.15",
        ),
        ("NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  595.45.04  Release Build\n", "595.45.04"),
        ("", ""),
        ("NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.", ""),
    ],
)
def test_driver_version(content: str, version: str) -> None:
    assert smi.driver_version(content) == version


@given(cut=st.integers(1, 60))
def test_meminfo_cut_off_is_an_error(cut: int) -> None:
    line = "MemTotal:       24683896 kB"
    if cut < len(line):
        with pytest.raises(ReadingError):
            machine.memory_mb(line[:-cut])
    assert machine.memory_mb(f"{line}\nMemFree: 1 kB\nSomething new: 12\n") == 24105


@given(cut=st.integers(1, 2000), name=st.sampled_from(MACHINES))
def test_lscpu_cut_off_is_an_error_or_the_same_cores(cut: int, name: str) -> None:
    whole = text(name, "lscpu.txt")
    known = machine.cpu(whole, 512)
    try:
        found = machine.cpu(whole[:-cut], 512)
    except ReadingError:
        return
    if whole[:-cut].strip():
        assert found.cores == known.cores


def test_lscpu_on_arm_counts_clusters() -> None:
    output = (
        "Architecture:          aarch64\nCPU(s):                72\nVendor ID:             ARM\n"
        "Model name:            Neoverse-V2\nThread(s) per core:    1\nCore(s) per cluster:   72\n"
        "Socket(s):             -\nCluster(s):            1\n"
    )
    found = machine.cpu(output, 72)
    assert (found.model, found.sockets, found.cores, found.threads) == ("Neoverse-V2", 1, 72, 72)


def test_no_lscpu() -> None:
    assert machine.cpu("", 4).cores == 4


def test_a_container_has_no_more_cores_than_it_may_use() -> None:
    found = machine.cpu(text("h200-2", "lscpu.txt"), 8)
    assert (found.cores, found.threads) == (8, 8)


DISK: dict[str, Any] = {
    "sectors": "1953525168",
    "rotational": "0",
    "model": "",
    "removable": "0",
    "bus": "yes",
}


@pytest.mark.parametrize(
    ("entry", "kind"),
    [
        ({"name": "nvme0n1", "model": "SAMSUNG MZVL21T0"}, "nvme"),
        ({"name": "nvme0n1", "model": "Amazon Elastic Block Store"}, "virtual"),
        ({"name": "sda", "rotational": "1"}, "hdd"),
        ({"name": "sda", "model": "Samsung SSD 870"}, "ssd"),
        ({"name": "sda", "rotational": "1", "model": "QEMU HARDDISK"}, "virtual"),
        ({"name": "sda", "rotational": "1", "model": "Virtual disk"}, "virtual"),
        ({"name": "vda", "rotational": "1"}, "virtual"),
        ({"name": "loop0"}, None),
        ({"name": "dm-0", "bus": ""}, None),
        ({"name": "md127", "bus": ""}, None),
        ({"name": "sr0"}, None),
        ({"name": "zram0", "bus": ""}, None),
        ({"name": "nvme0c0n1"}, None),
        ({"name": "sdb", "removable": "1"}, None),
        ({"name": "sdc", "sectors": "0"}, None),
    ],
)
def test_kinds_of_disks(entry: dict[str, str], kind: str | None) -> None:
    assert [disk.kind for disk in machine.disks([{**DISK, **entry}])] == ([kind] if kind else [])


def test_a_disk_of_no_size_is_an_error() -> None:
    with pytest.raises(ReadingError, match="sda"):
        machine.disks([{**DISK, "name": "sda", "sectors": "?"}])


def mount(place: str, kind: str, device: str = "8:1", free: float = 10.5) -> dict[str, Any]:
    return {
        "mount": place,
        "type": kind,
        "device": device,
        "disk": "sda",
        "size": 100 * 2**30,
        "free": int(free * 2**30),
    }


@pytest.mark.parametrize(
    ("mounts", "expected"),
    [
        ([mount("/", "ext4"), mount("/boot/efi", "vfat", "8:2")], ["/"]),
        ([mount("/", "ext4"), mount("/boot", "ext4", "8:2")], ["/"]),
        ([mount("/", "btrfs", "0:25"), mount("/home", "btrfs", "0:26")], ["/"]),
        ([mount("/srv", "xfs", "8:3"), mount("/", "ext4"), mount("/mnt/again", "ext4")], ["/", "/srv"]),
        (
            [mount("/", "overlay", "0:50"), mount("/var/lib/docker/overlay2/x/merged", "overlay", "0:51")],
            ["/"],
        ),
        ([mount("/", "rootfs", "0:1"), mount("/", "ext4")], ["/"]),
        ([mount("/run", "tmpfs"), mount("/snap/core/1", "squashfs", "7:0")], []),
        ([mount("/var/lib/docker", "ext4", "8:5")], ["/var/lib/docker"]),
    ],
)
def test_file_systems_that_may_hold_data(mounts: list[dict[str, Any]], expected: list[str]) -> None:
    found = machine.filesystems(mounts)
    assert [entry.mount for entry in found] == expected
    assert all(entry.free_mb == 10 * 1024 for entry in found)


def link(name: str, kind: str = "physical", **changes: object) -> dict[str, Any]:
    base = {"operstate": "up", "speed": "1000", "mtu": "1500", "addresses": ["192.0.2.1"]}
    return {"name": name, "kind": kind, **base, **changes}


@pytest.mark.parametrize(
    ("entry", "speed"),
    [
        (link("eno1"), 1000),
        (link("bond0", "bond", speed="20000"), 20000),
        (link("eno1", speed="-1"), None),
        (link("eno1", speed=""), None),
        (link("eno1", addresses=[]), 1000),
        (link("eth0", "virtual", speed="10000"), None),
        (link("br0", "bridge"), None),
    ],
)
def test_speed_of_a_link(entry: dict[str, Any], speed: int | None) -> None:
    assert [found.speed_mbps for found in machine.network([entry])] == [speed]


@pytest.mark.parametrize(
    "entry",
    [
        link("lo", "virtual"),
        link("docker0", "bridge"),
        link("br-2e68183afb69", "bridge"),
        link("veth12ab", "virtual"),
        link("virbr0", "bridge"),
        link("eno2", operstate="down"),
        link("vlan7", "virtual", addresses=[]),
    ],
)
def test_interfaces_that_do_not_count(entry: dict[str, Any]) -> None:
    assert machine.network([entry]) == []


def test_os_release() -> None:
    assert release('ID=debian\nVERSION_ID="13"\n# note=1\n')["VERSION_ID"] == "13"
    for wrong in ("", "NAME=x\n", 'ID=debian\nNAME="Deb\n'):
        with pytest.raises(ReadingError):
            release(wrong)


@given(st.text())
def test_texts_of_a_host_are_never_templates(words: str) -> None:
    done = clean(words + "{{ lookup('pipe', 'id') }}{% raw %}\x1b[31m")
    assert "{" not in done
    assert "}" not in done
    assert done.isprintable()
    assert clean(done) == done
