"""hardware.yml: round trip, differences, one-step writing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from recorded_machines import MACHINES, raw

from rackwright.hardware.build import hardware_of
from rackwright.hardware.model import (
    Cpu,
    Disk,
    Filesystem,
    Gpu,
    Hardware,
    NetworkInterface,
    NumaNode,
    System,
)
from rackwright.hardware.store import changes, load, path_of, render, settled, shown, write

WORDS = st.text(
    st.characters(exclude_categories=("Cs", "Cc", "Co", "Cn"), exclude_characters="{}\ufeff"), max_size=20
)
NUMBERS = st.integers(0, 2**40)
POSITIVE = st.integers(1, 2**31)
HARDWARE = st.builds(
    Hardware,
    system=st.builds(
        System,
        distribution=WORDS,
        version=st.sampled_from(["13", "24.04", "1e3", "", "no", "~"]),
        codename=WORDS,
        kernel=WORDS,
        architecture=st.sampled_from(["x86_64", "aarch64"]),
        virtualization=st.sampled_from(["none", "kvm", "container"]),
        secure_boot=st.sampled_from([True, False, None]),
        python=st.sampled_from(["3.10", "3.13"]),
    ),
    cpu=st.builds(Cpu, model=WORDS, sockets=POSITIVE, cores=POSITIVE, threads=POSITIVE),
    memory_mb=POSITIVE,
    numa=st.lists(
        st.builds(NumaNode, node=NUMBERS, cpus=st.just("0-31,64-95"), memory_mb=NUMBERS), max_size=2
    ),
    disks=st.lists(
        st.builds(
            Disk,
            name=WORDS,
            kind=st.sampled_from(["nvme", "ssd", "hdd", "virtual"]),
            size_gb=NUMBERS,
            model=WORDS,
        ),
        max_size=2,
    ),
    filesystems=st.lists(
        st.builds(Filesystem, mount=WORDS, type=WORDS, disk=WORDS, size_mb=NUMBERS, free_mb=NUMBERS),
        max_size=2,
        unique_by=lambda entry: entry.mount,
    ),
    network=st.lists(
        st.builds(
            NetworkInterface,
            name=WORDS,
            speed_mbps=st.none() | POSITIVE,
            addresses=st.lists(st.just("2001:db8::1"), max_size=2),
            mtu=POSITIVE,
        ),
        max_size=2,
    ),
    gpus=st.lists(
        st.builds(
            Gpu,
            pci_address=st.just("0000:01:00.0"),
            pci_id=st.sampled_from(["10de:1e30", "10de:2204", "0000:0000"]),
            model=WORDS,
            architecture=st.sampled_from(["ampere", "unknown"]),
            compute_capability=st.sampled_from(["8.0", "12.0", ""]),
            vram_mb=NUMBERS,
            driver=st.none() | st.just("595.71"),
            mig=st.sampled_from([True, False, None]),
            nvlink_peers=st.lists(st.just("0000:02:00.0"), max_size=1),
        ),
        max_size=2,
    ),
    nvswitch=st.booleans(),
)


@given(HARDWARE)
def test_what_is_written_is_read_back(tmp_path_factory: pytest.TempPathFactory, hardware: Hardware) -> None:
    path = tmp_path_factory.mktemp("site") / "hardware.yml"
    write(path, "gpu1", hardware)
    assert load(path) == (hardware, [])
    assert changes(hardware, hardware) == []
    assert settled(hardware, hardware) == hardware


@given(HARDWARE, HARDWARE)
def test_every_difference_is_told(before: Hardware, after: Hardware) -> None:
    assert (changes(before, after) == []) == (_by_name(before) == _by_name(after))


def _by_name(hardware: Hardware) -> dict[str, Any]:
    """The hardware with its lists by the names of their entries, as differences are told."""
    values = hardware.model_dump()
    for name, key in (
        ("numa", "node"),
        ("disks", "name"),
        ("filesystems", "mount"),
        ("network", "name"),
        ("gpus", "pci_address"),
    ):
        values[name] = {str(entry[key]): entry for entry in values[name]}
    return values


@pytest.mark.parametrize("machine", MACHINES)
def test_the_file_of_a_machine(machine: str) -> None:
    hardware, _ = hardware_of(machine, raw(machine))
    written = render(machine, hardware)
    assert written.startswith(f"---\n# What {machine} is made of.")
    assert max(map(len, written.splitlines())) <= 120
    assert Hardware.model_validate(yaml.safe_load(written)["hardware"]) == hardware
    assert render(machine, hardware) == written


def test_the_driver_that_arrives_is_the_only_change() -> None:
    before, _ = hardware_of("x", raw("t4", driver=False))
    after, _ = hardware_of("x", raw("t4"))
    assert [(change.path, change.old, change.new) for change in changes(before, after)] == [
        ("gpus.0000:00:1e.0.driver", None, "515.105.01")
    ]


def test_one_more_disk_shifts_no_others() -> None:
    hardware, _ = hardware_of("x", raw("rtx3090"))
    more = hardware.model_copy(
        update={"disks": [Disk(name="nvme1n1", kind="nvme", size_gb=4000, model="new"), *hardware.disks]}
    )
    found = changes(hardware, more)
    assert [(change.path, change.old) for change in found] == [("disks.nvme1n1", None)]
    assert shown(found[0].new) == "name: nvme1n1, kind: nvme, size_gb: 4000, model: new"
    assert shown(found[0].old) == "(none)"


@pytest.mark.parametrize(("free_mb", "told"), [(479 * 1024 - 4096, False), (300 * 1024, True)])
def test_free_space_is_told_when_it_matters(free_mb: int, told: bool) -> None:
    hardware, _ = hardware_of("x", raw("rtx3090"))
    root = hardware.filesystems[0].model_copy(update={"free_mb": free_mb})
    later = settled(hardware, hardware.model_copy(update={"filesystems": [root]}))
    assert bool(changes(hardware, later)) == told


def test_a_directory_holds_the_file_and_a_file_is_held_beside(tmp_path: Path) -> None:
    overlay = tmp_path / "lab.yml"
    overlay.write_text("all: {}\n")
    assert path_of([tmp_path], "a") == tmp_path / "host_vars" / "a" / "hardware.yml"
    assert path_of([Path("/elsewhere"), overlay], "a") == tmp_path / "host_vars" / "a" / "hardware.yml"


@pytest.mark.parametrize("content", ["hardware: 1\n", "hardware: {}\n", "[]\n", "a: {b\n", "\x00", "{}\n"])
def test_a_file_that_is_not_valid_is_told(tmp_path: Path, content: str) -> None:
    path = tmp_path / "hardware.yml"
    path.write_text(content)
    hardware, findings = load(path)
    assert hardware is None
    assert findings
    assert all(str(path) == finding.where for finding in findings)


def test_a_wrong_value_is_told_with_its_path(tmp_path: Path) -> None:
    hardware, _ = hardware_of("x", raw("l40s-2"))
    path = tmp_path / "hardware.yml"
    write(path, "x", hardware)
    path.write_text(path.read_text().replace("vram_mb: 46068", "vram_mb: much", 1))
    found, findings = load(path)
    assert found is None
    assert [finding.variable for finding in findings] == ["hardware.gpus.0.vram_mb"]


def test_a_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hardware, _ = hardware_of("x", raw("t4"))
    path = tmp_path / "hardware.yml"
    path.write_text("old\n")

    def fail(*_arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(OSError, match="No space"):
        write(path, "x", hardware)
    assert path.read_text() == "old\n"
    assert list(tmp_path.iterdir()) == [path]
