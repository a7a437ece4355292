"""The kernel module is there, it survives the attempts at one that does not build, and dpkg is whole."""

from __future__ import annotations

import re

import pytest
from testinfra.host import Host


def dkms(host: Host) -> str:
    return str(host.check_output("dkms status"))


def test_the_module_was_built_for_the_kernel_and_is_in_its_place(host: Host) -> None:
    built = re.search(r"nvidia-current/(\S+), (\S+), x86_64: installed", dkms(host))
    assert built, dkms(host)
    version, kernel = built.groups()
    shown = host.check_output(f"modinfo -k {kernel} -F version nvidia-current")
    assert shown.strip() == version
    assert host.check_output(f"modinfo -k {kernel} -F vermagic nvidia-current").startswith(kernel)


def test_it_came_from_backports_and_is_held(host: Host) -> None:
    assert "bpo13" in host.check_output("dpkg-query -W -f '${Version}' nvidia-kernel-dkms")
    held = host.check_output("apt-mark showhold").split()
    assert {"nvidia-kernel-dkms", "libcuda1", "nvidia-smi"} <= set(held)


def test_nouveau_stays_off(host: Host) -> None:
    assert host.run("modprobe -n -v nouveau").stdout.strip() in {"", "install /bin/false"}
    assert "blacklist nouveau" in host.file("/etc/modprobe.d/rackwright-nvidia.conf").content_string


@pytest.mark.parametrize(
    ("attempt", "words"),
    [
        ("facts", ["does not build", "pci_resize_resource", "To mend it"]),
        (
            "build",
            ["does not build against kernel", "pci_resize_resource", "Nothing on this host was changed"],
        ),
        ("transaction", ["could not be installed", "pci_resize_resource", "package database is whole"]),
    ],
)
def test_each_attempt_was_refused_with_its_reason(host: Host, attempt: str, words: list[str]) -> None:
    said = " ".join(host.file(f"/root/refusal-{attempt}").content_string.split())
    assert [word for word in words if word.lower() not in said.lower()] == [], said


def test_the_package_database_is_whole_and_nothing_of_the_attempts_is_left(host: Host) -> None:
    assert host.check_output("dpkg --audit") == ""
    assert host.run("apt-get check").rc == 0
    assert host.run("dpkg-query -W -f '${db:Status-Status}' nvidia-open-kernel-dkms").stdout != "installed"
    assert "nvidia-current-open" not in dkms(host)
