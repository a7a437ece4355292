"""What a site needs, of the example sites and of one with images."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml

from rackwright.bundle.closure import CONTROL_PACKAGES, Wanted, wanted
from rackwright.bundle.manifest import BundleError
from rackwright.bundle.systems import PackageSet
from rackwright.site.inventory import load_inventory
from rackwright.site.paths import repository_root

DIGEST = "sha256:" + "a" * 64


def of(source: Path) -> Wanted:
    return wanted(load_inventory([source]))


def names(found: Wanted, system: str = "debian-13/amd64") -> set[str]:
    return {name for each in found.packages if each.system.text == system for name in each.names}


@pytest.fixture
def site(tmp_path: Path) -> Path:
    target = tmp_path / "small"
    shutil.copytree(repository_root() / "inventories/small", target)
    return target


def say(site: Path, **variables: object) -> None:
    (site / "group_vars/all/zz.yml").write_text(yaml.safe_dump(variables), encoding="utf-8")


@pytest.mark.parametrize("size", ["small", "medium", "large"])
def test_the_example_sites_have_their_packages(size: str) -> None:
    found = of(repository_root() / f"inventories/{size}")
    assert {"docker.io", "postgresql-17", "nftables", "lynis", *CONTROL_PACKAGES} <= names(found)
    # What services name beside their roles.
    assert "prometheus-process-exporter" in names(found)
    assert [lock.name for lock in found.locks][:1] == ["app"]


def test_what_a_host_gets_together_is_asked_for_together() -> None:
    found = of(repository_root() / "inventories/large")
    assert len(found.packages) > 2
    assert len({each.names for each in found.packages}) == len(found.packages)


def test_images_and_pinned_versions_of_the_site_come_along(site: Path) -> None:
    digests = {"name": f"ghcr.io/ggml-org/llama.cpp@{DIGEST}"}
    pinned = {
        "tool": {"version": "1.0", "url": "https://a.example/tool", "sha256": "b" * 64},
        "qdrant": {"version": "1.0", "image": "qdrant/qdrant", "digest": DIGEST},
        "thing": {"version": "1.0", "image": "docker.io/team/thing", "digest": DIGEST},
    }
    say(site, ollama_image=digests, inference_engine="ollama", versions=pinned)
    found = of(site)
    # The image of a role that no host has stays away.
    assert found.images == (f"docker.io/team/thing@{DIGEST}", digests["name"])
    assert [(each.name, each.version) for each in found.files] == [("tool", "1.0")]


def test_several_systems_may_differ_in_what_they_can_run(site: Path) -> None:
    say(site, bundle_systems=["debian-13/amd64", "debian-12/amd64"])
    found = of(site)
    assert "postgresql-15" in names(found, "debian-12/amd64")
    # It has no Compose v2, so nothing of Docker.
    assert "docker.io" not in names(found, "debian-12/amd64")
    say(site, bundle_systems=["debian-12/amd64"])
    with pytest.raises(BundleError, match="role docker does not support debian-12"):
        of(site)


RTX = {
    "system": {
        "distribution": "Debian", "version": "13", "codename": "trixie", "kernel": "6.12.117+deb13-amd64",
        "architecture": "x86_64", "virtualization": "none", "secure_boot": False, "python": "3.13",
    },
    "cpu": {"model": "any", "sockets": 1, "cores": 2, "threads": 2}, "memory_mb": 4096, "numa": [],
    "disks": [], "filesystems": [], "network": [], "nvswitch": False,
    "gpus": [{
        "pci_address": "0000:01:00.0", "pci_id": "10de:2204", "model": "GeForce RTX 3090",
        "architecture": "ampere", "compute_capability": "8.6", "vram_mb": 24576, "driver": None, "mig": None,
        "nvlink_peers": [],
    }],
}  # fmt: skip


def drivers_of(found: Wanted) -> list[PackageSet]:
    return [each for each in found.packages if any("nvidia" in name for name in each.names)]


def with_gpu(site: Path, hardware: object = None, **variables: object) -> Wanted:
    (site / "host_vars/server1/hardware.yml").write_text(yaml.safe_dump({"hardware": hardware}))
    (site / "gpu.yml").write_text(yaml.safe_dump({"all": {"children": {"gpu": {"hosts": {"server1": {}}}}}}))
    say(site, **variables)
    return of(site)


def test_a_host_with_gpus_gets_the_driver_that_is_chosen_for_it(site: Path) -> None:
    (chosen,) = drivers_of(with_gpu(site, hardware=RTX))
    assert {"nvidia-kernel-dkms", "nvidia-smi", "libcuda1"} <= set(chosen.names)
    assert chosen.suite == ""
    # An archive keeps the headers of a kernel for some months.
    assert chosen.optional == ("linux-headers-6.12.117+deb13-amd64",)
    assert {"dkms", "gcc", "linux-headers-amd64", "linux-image-amd64"} <= names(with_gpu(site, hardware=RTX))


def test_a_driver_of_backports_is_taken_from_there(site: Path) -> None:
    (chosen,) = drivers_of(with_gpu(site, hardware=RTX, nvidia_driver_source="backports"))
    assert chosen.suite == "trixie-backports"


def test_what_no_scan_tells_comes_whole_and_what_nvidia_packages_is_told(site: Path) -> None:
    found = with_gpu(site)
    assert {"nvidia-kernel-dkms", "nvidia-open-kernel-dkms", "nvidia-tesla-535-kernel-dkms"} <= names(found)
    # Kernel modules of two flavours exclude each other.
    assert not any({"nvidia-kernel-dkms", "nvidia-open-kernel-dkms"} <= set(s.names) for s in found.packages)
    assert "was not scanned" in found.notes[0]
    found = with_gpu(site, hardware=RTX, nvidia_driver_source="nvidia")
    assert drivers_of(found) == []
    assert "NVIDIA's repository, which no bundle has" in found.notes[0]


@pytest.mark.parametrize("systems", [[], ["debian-9/amd64"]])
def test_systems_that_are_none_are_refused(site: Path, systems: list[str]) -> None:
    say(site, bundle_systems=systems)
    with pytest.raises(BundleError, match="bundle_systems"):
        of(site)
