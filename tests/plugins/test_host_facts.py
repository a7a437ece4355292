"""host_facts: what is read from which file."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, TypeAlias

import pytest

Load: TypeAlias = Callable[[str, str], ModuleType]


@pytest.fixture
def facts(load: Load) -> ModuleType:
    return load("modules", "host_facts")


RELEASES = [
    ('ID=debian\nVERSION_ID="13"\nVERSION_CODENAME=trixie\n', ("Debian", "13", "trixie", "debian-13")),
    ('ID=debian\nVERSION_ID="12"\nVERSION_CODENAME=bookworm\n', ("Debian", "12", "bookworm", "debian-12")),
    ('ID=ubuntu\nVERSION_ID="22.04"\nVERSION_CODENAME=jammy\n', ("Ubuntu", "22", "jammy", "ubuntu-22.04")),
    ("ID=debian\nVERSION_CODENAME=forky\n# a comment=1\n", ("Debian", "", "forky", "debian-forky")),
    ('ID="rocky"\nVERSION_ID="9.4"\n', ("Rocky", "9", "", "rocky-9.4")),
]


@pytest.mark.parametrize(("text", "expected"), RELEASES)
def test_releases(facts: ModuleType, text: str, expected: tuple[str, ...]) -> None:
    release = facts.release(text)
    assert tuple(release[key] for key in ("distribution", "major", "codename", "os")) == expected


def test_memory(facts: ModuleType) -> None:
    assert facts.memory_mb("MemTotal:       24683896 kB\nMemFree: 1 kB\n") == 24105


@pytest.mark.parametrize("folder", ["usr/lib/systemd", "usr/lib/x86_64-linux-gnu/systemd"])
@pytest.mark.parametrize(
    ("name", "version"), [("libsystemd-shared-257.so", 257), ("libsystemd-shared-249.11.so", 249)]
)
def test_systemd_by_its_library(
    facts: ModuleType, tmp_path: Path, folder: str, name: str, version: int
) -> None:
    assert facts.systemd_version(tmp_path) == 0
    (tmp_path / folder).mkdir(parents=True)
    (tmp_path / folder / name).write_text("")
    assert facts.systemd_version(tmp_path) == version


@pytest.mark.parametrize(("flag", "expected"), [("1\n", True), ("0\n", False), (None, None)])
@pytest.mark.parametrize("partition", [True, False])
def test_whether_the_disk_turns(
    facts: ModuleType, tmp_path: Path, flag: str | None, expected: bool | None, partition: bool
) -> None:
    device = tmp_path.stat().st_dev
    blocks = tmp_path / "dev" / "block"
    blocks.mkdir(parents=True)
    disk = tmp_path / "devices" / "sda"
    entry = disk / "sda1" if partition else disk
    entry.mkdir(parents=True)
    if flag is not None:
        (disk / "queue").mkdir()
        (disk / "queue" / "rotational").write_text(flag)
    (blocks / f"{os.major(device)}:{os.minor(device)}").symlink_to(entry)
    assert facts.rotational(str(tmp_path / "not" / "there"), blocks) is expected


def test_this_machine(run_module: Callable[..., dict[str, Any]]) -> None:
    result = run_module("host_facts", {})
    assert not result["changed"]
    facts = result["ansible_facts"]["host_facts"]
    assert set(facts) == {
        "distribution",
        "major",
        "codename",
        "os",
        "architecture",
        "python",
        "memory_mb",
        "cpus",
        "virtualization",
        "is_container",
        "data_disk_rotational",
        "systemd",
        "converged",
    }
    assert facts["memory_mb"] > 0
    assert facts["cpus"] > 0
    assert facts["is_container"] == (facts["virtualization"] == "container")


@pytest.mark.parametrize("there", [True, False])
def test_what_a_first_run_leaves_behind(
    facts: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, there: bool
) -> None:
    mark = tmp_path / "firewall.applied"
    if there:
        mark.write_text("")
    monkeypatch.setattr(facts, "CONVERGED", mark)
    assert facts.collect("/")["converged"] is there
