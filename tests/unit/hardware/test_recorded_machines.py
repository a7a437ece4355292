"""What is made of the recorded machines."""

from __future__ import annotations

from typing import Any

import pytest
from recorded_machines import DATA, MACHINES, raw, text

from rackwright.hardware import smi
from rackwright.hardware.build import hardware_of
from rackwright.hardware.gpus import known_gpus
from rackwright.hardware.pci import from_lspci, from_sysfs
from rackwright.hardware.reading import ReadingError
from rackwright.hardware.summary import (
    data_disk_kind,
    data_filesystem,
    gpu_groups,
    largest_gpu_group,
    network_mbps,
    total_vram_mb,
)

# machine -> model, architecture, capability, MiB with the driver, MiB without, MIG with the driver, count
GPUS = {
    "rtx3090": ("GeForce RTX 3090", "ampere", "8.6", 24576, None, 1),
    "a100-pcie-2": ("A100 PCIe 40GB", "ampere", "8.0", 40960, False, 2),
    "h100-sxm-8": ("H100 SXM5 80GB", "hopper", "9.0", 81559, False, 8),
    "h100-pcie": ("H100 PCIe", "hopper", "9.0", 81559, False, 1),
    "h200-2": ("H200 SXM", "hopper", "9.0", 143771, False, 2),
    "l40s-2": ("L40S", "ada", "8.9", 46068, None, 2),
    "t4": ("Tesla T4", "turing", "7.5", 15360, None, 1),
    "h200-virtual": ("H200 SXM", "hopper", "9.0", 143771, False, 1),
    "a100-mig": ("A100 SXM4 80GB", "ampere", "8.0", 81920, True, 1),
}


def test_every_recording_says_where_its_figures_come_from() -> None:
    for machine in MACHINES:
        source = text(machine, "SOURCE.md")
        for path in (DATA / machine).iterdir():
            named = path.name == "SOURCE.md" or machine == "none" or path.name in source
            assert named, f"{machine}/SOURCE.md does not mention {path.name}"


def test_every_recording_is_expected() -> None:
    assert set(MACHINES) == {*GPUS, "none"}


@pytest.mark.parametrize("driver", [True, False])
@pytest.mark.parametrize("machine", GPUS)
def test_gpus(machine: str, driver: bool) -> None:
    model, architecture, capability, memory, mig, count = GPUS[machine]
    hardware, findings = hardware_of(machine, raw(machine, driver=driver))
    if not driver and hardware.system.virtualization == "container":
        count = 0  # what is only to be seen on the bus is not a container's
    assert [gpu.model for gpu in hardware.gpus] == [model] * count
    if not count:
        return
    assert {gpu.architecture for gpu in hardware.gpus} == {architecture}
    assert {gpu.compute_capability for gpu in hardware.gpus} == {capability}
    # The table of models holds what the driver says: nothing changes when it arrives.
    assert {gpu.vram_mb for gpu in hardware.gpus} == {memory}
    assert all(bool(gpu.driver) == driver for gpu in hardware.gpus)
    if driver:
        assert {gpu.mig for gpu in hardware.gpus} == {mig}
        assert str(hardware.gpus[0].driver) in text(machine, "nvidia-version.txt")
    assert findings == []


@pytest.mark.parametrize(
    ("machine", "peers", "nvswitch"),
    [
        ("rtx3090", 0, False),
        ("a100-pcie-2", 1, False),
        ("h100-sxm-8", 7, True),
        ("h200-2", 1, True),
        ("l40s-2", 0, False),
    ],
)
def test_how_gpus_are_joined(machine: str, peers: int, nvswitch: bool) -> None:
    hardware, _ = hardware_of(machine, raw(machine))
    addresses = {gpu.pci_address for gpu in hardware.gpus}
    for gpu in hardware.gpus:
        assert len(gpu.nvlink_peers) == peers
        assert set(gpu.nvlink_peers) <= addresses - {gpu.pci_address}
    assert hardware.nvswitch == nvswitch


def test_a_machine_without_gpu() -> None:
    hardware, findings = hardware_of("none", raw("none"))
    assert hardware.gpus == []
    assert not hardware.nvswitch
    assert findings == []
    assert hardware.system.distribution == "Debian"
    assert hardware.system.version == "13"
    assert hardware.system.virtualization == "container"
    assert hardware.memory_mb == 24105
    assert (hardware.cpu.cores, hardware.cpu.threads) == (2, 2)
    # The kernel's account of the only node is a moment's in this virtual machine.
    assert [(node.cpus, node.memory_mb) for node in hardware.numa] == [("0-1", 24105)]
    assert [(disk.name, disk.kind, disk.size_gb) for disk in hardware.disks] == [("vda", "virtual", 275)]
    assert [(entry.name, entry.speed_mbps) for entry in hardware.network] == [("eth0", None)]
    assert [(entry.mount, entry.type) for entry in hardware.filesystems] == [("/", "overlay")]


def test_a_workstation() -> None:
    hardware, _ = hardware_of("rtx3090", raw("rtx3090"))
    assert (hardware.cpu.sockets, hardware.cpu.cores, hardware.cpu.threads) == (1, 8, 16)
    assert hardware.system.version == "24.04"
    assert hardware.system.secure_boot is False
    assert [entry.name for entry in hardware.network] == ["eno1"]
    assert network_mbps(hardware) == 2500
    # The EFI partition holds no data.
    assert [entry.mount for entry in hardware.filesystems] == ["/"]
    assert hardware.filesystems[0].free_mb == 479 * 1024
    assert data_disk_kind(hardware) == "nvme"


def test_a_server_with_two_networks_and_a_disk_for_data() -> None:
    hardware, _ = hardware_of("l40s-2", raw("l40s-2"))
    assert [(node.cpus, node.memory_mb) for node in hardware.numa] == [
        ("0-31,64-95", 385932),
        ("32-63,96-127", 385932),
    ]
    assert data_disk_kind(hardware) == "hdd"
    found = data_filesystem(hardware)
    assert found is not None
    assert found.mount == "/data"
    a100, _ = hardware_of("a100-pcie-2", raw("a100-pcie-2"))
    assert a100.system.secure_boot is True
    assert network_mbps(a100) == 25000
    assert "2001:db8::21" in a100.network[0].addresses


def test_groups_of_equal_gpus() -> None:
    hardware, _ = hardware_of("h100-sxm-8", raw("h100-sxm-8"))
    group = largest_gpu_group(hardware)
    assert group is not None
    assert (group.count, group.vram_mb, group.total_vram_mb) == (8, 81559, 8 * 81559)
    assert group.nvlink
    assert group.known is known_gpus().by_name("H100 SXM5 80GB")
    # Another card beside them is another group, the smaller one.
    other = raw("rtx3090")
    mixed = {**raw("l40s-2", driver=False), "nvidia_nodes": other["nvidia_nodes"]}
    mixed["pci"] = [*mixed["pci"], {**other["pci"][0], "address": "0000:c1:00.0"}]
    hardware, _ = hardware_of("mixed", mixed)
    assert [(group.model, group.count) for group in gpu_groups(hardware)] == [
        ("L40S", 2),
        ("GeForce RTX 3090", 1),
    ]
    assert not gpu_groups(hardware)[0].nvlink
    assert total_vram_mb(hardware) == 2 * 46068 + 24576
    none, _ = hardware_of("none", raw("none"))
    assert largest_gpu_group(none) is None


def test_a_partitioned_gpu_is_in_no_group() -> None:
    hardware, _ = hardware_of("a100-mig", raw("a100-mig"))
    assert gpu_groups(hardware) == []
    assert total_vram_mb(hardware) == 81920


@pytest.mark.parametrize("machine", ["a100-pcie-2", "h100-sxm-8", "h200-virtual", "t4", "a100-mig"])
def test_csv_and_xml_tell_the_same(machine: str) -> None:
    told = smi.from_csv(text(machine, "nvidia-smi.csv"))
    full = smi.from_xml(text(machine, "nvidia-smi.xml"))
    for left, right in zip(told, full, strict=True):
        for name in ("address", "pci_id", "subsystem", "name", "vram_mb", "driver", "mig"):
            assert getattr(left, name) == getattr(right, name)


@pytest.mark.parametrize("machine", GPUS)
def test_lspci_and_sysfs_tell_the_same(machine: str) -> None:
    for left, right in zip(
        from_lspci(text(machine, "lspci.txt")), from_sysfs(raw(machine)["pci"]), strict=True
    ):
        for name in ("address", "kind", "pci_id", "subsystem", "driver", "is_gpu", "is_nvswitch"):
            assert getattr(left, name) == getattr(right, name)


def test_all_links_of_an_nvswitch_machine_are_up() -> None:
    assert smi.active_links(text("h100-sxm-8", "nvlink.txt")) == dict.fromkeys(range(8), 18)


def test_a_container_has_only_the_gpus_that_it_was_given() -> None:
    given = raw("l40s-2")
    given["system"] = {**given["system"], "virtualization": "docker"}
    assert len(hardware_of("c", given)[0].gpus) == 2
    lines = given["programs"]["nvidia_csv"]["out"].splitlines(keepends=True)
    one = {**given, "programs": {**given["programs"], "nvidia_csv": {"rc": 0, "out": "".join(lines[:2])}}}
    del one["programs"]["nvidia_topology"]
    assert [gpu.pci_address for gpu in hardware_of("c", one)[0].gpus] == ["0000:01:00.0"]
    # What is only to be seen on the machine's bus is not the container's.
    bare = raw("l40s-2", driver=False)
    bare["system"] = given["system"]
    assert hardware_of("c", bare)[0].gpus == []


def test_virtual_functions_are_no_gpus_of_their_own() -> None:
    given = raw("l40s-2", driver=False)
    part = {**given["pci"][0], "address": "0000:01:00.4", "part_of": "0000:01:00.0"}
    hardware, _ = hardware_of("host", {**given, "pci": [*given["pci"], part]})
    assert [gpu.pci_address for gpu in hardware.gpus] == ["0000:01:00.0", "0000:82:00.0"]


def _with_csv(machine: str, **outcome: object) -> dict[str, Any]:
    given = raw(machine)
    given["programs"] = {"lscpu": given["programs"]["lscpu"], "nvidia_csv": {"out": "", "err": "", **outcome}}
    return given


def test_a_driver_that_does_not_answer_is_told() -> None:
    said = "Failed to initialize NVML: Driver/library version mismatch\n"
    hardware, findings = hardware_of("host", _with_csv("t4", rc=18, out=said))
    assert [finding.check for finding in findings] == ["gpu-driver"]
    assert "mismatch" in findings[0].found
    assert hardware.gpus[0].driver == "515.105.01"
    assert hardware.gpus[0].vram_mb == 15360


def test_a_gpu_that_fell_off_the_bus_and_one_given_away() -> None:
    given = raw("l40s-2")
    lines = given["programs"]["nvidia_csv"]["out"].splitlines(keepends=True)
    given["programs"] = {**given["programs"], "nvidia_csv": {"rc": 0, "out": "".join(lines[:2]), "err": ""}}
    del given["programs"]["nvidia_topology"]
    assert [finding.check for finding in hardware_of("host", given)[1]] == ["gpu-missing"]
    given["pci"][1]["driver"] = "vfio-pci"
    assert [finding.check for finding in hardware_of("host", given)[1]] == ["gpu-passed-through"]


def test_an_unknown_card() -> None:
    given = raw("t4", driver=False)
    given["pci"][0]["device"] = "0xfffe"
    hardware, findings = hardware_of("host", given)
    gpu = hardware.gpus[0]
    assert (gpu.model, gpu.architecture, gpu.vram_mb) == ("NVIDIA 10de:fffe", "unknown", 0)
    assert [finding.check for finding in findings] == ["gpu"]
    assert "gpus.yml" in findings[0].needed
    # With a driver, its capability tells the architecture and nvidia-smi the rest.
    given = raw("t4")
    given["pci"][0]["device"] = "0xfffe"
    gpu = hardware_of("host", given)[0].gpus[0]
    assert (gpu.model, gpu.architecture, gpu.vram_mb) == ("Tesla T4", "turing", 15360)


@pytest.mark.parametrize("missing", ["texts", "programs", "pci", "cpus", "disks"])
def test_an_answer_that_lacks_a_part_is_an_error(missing: str) -> None:
    given = raw("t4")
    del given[missing]
    with pytest.raises(ReadingError, match=missing):
        hardware_of("host", given)
