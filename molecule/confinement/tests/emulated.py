"""A lab's machine as a real one: its file system, booted in QEMU by Debian's kernel, which has AppArmor.

Everything happens in one container, without a network and with the least share of the processors; it ends by
itself after an hour, and goes with the scenario's lab if it is left over. There is no KVM in it: it is slow.
"""

from __future__ import annotations

import io
import json
import subprocess
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rackwright.lab.docker import docker
from rackwright.lab.images import architecture, ensure_image
from rackwright.lab.mirror import find_mirror
from rackwright.lab.model import Lab
from rackwright.lab.recipe import ImageFile, Recipe, sources_of

FILES = Path(__file__).parents[1] / "files"
RELEASE = "trixie"
BOOT_SECONDS, LEFT_OVER_SECONDS = 1500, 3600
WORK, PLACE = "/work", "opt/rackwright-proof"
PREPARE = "/usr/local/sbin/prepare"
# Every line of the kernel's is kept: denials are counted.
KERNEL = "root=/dev/vda rw console=ttyS0 panic=-1 sysctl.kernel.printk_ratelimit=0"
QEMU = (
    f"cd {WORK} && exec timeout {BOOT_SECONDS} qemu-system-x86_64 -accel tcg,thread=multi,tb-size=512"
    " -cpu max -smp 2 -m 4096 -machine q35 -display none -no-reboot -nic none"
    " -kernel /boot/vmlinuz-* -initrd /boot/initrd.img-*"
    f" -append '{KERNEL}' -drive file=disk,format=raw,if=virtio,cache=unsafe"
    " -serial file:console -serial file:report"
)


def recipe() -> Recipe:
    """What the container is made of."""
    assert architecture() == "amd64", "QEMU is told of an amd64 machine here"
    packages = ("qemu-system-x86", "linux-image-amd64", "e2fsprogs", "kmod", "zstd")
    tool = ImageFile(PREPARE, (FILES / "prepare").read_text(encoding="utf-8"), 0o755)
    return Recipe("emulator", RELEASE, "amd64", sources_of(RELEASE, find_mirror()), packages, (tool,))


@contextmanager
def emulator(lab: Lab) -> Iterator[str]:
    """Give the name of a container that boots machines."""
    made, name = recipe(), f"rw-{lab.name}-emulator"
    ensure_image(made)
    docker("rm", "--force", name, check=False)
    docker(
        "run",
        "--detach",
        "--rm",
        f"--name={name}",
        f"--label={lab.label}",
        "--network=none",
        "--cpu-shares=256",
        f"--volume={WORK}",
        made.tag,
        "sleep",
        str(LEFT_OVER_SECONDS),
    )
    try:
        yield name
    finally:
        docker("rm", "--force", "--volumes", name, check=False)


def booted(container: str, machine: str, name: str, address: str, files: Mapping[str, str]) -> dict[str, Any]:
    """Boot a copy of a machine of the lab, and return what it says of itself before it goes off.

    Args:
        container: Where it is emulated.
        machine: Its container in the lab.
        name: Its own name.
        address: Its own address.
        files: What the proof consists of, by name.
    """
    tree = f"{WORK}/tree"
    docker("exec", container, "sh", "-c", f"rm -rf {WORK}/* && mkdir -p {tree}")
    # Shut down as any machine is, so that its databases are whole.
    docker("stop", "--time=120", machine)
    try:
        with subprocess.Popen(["docker", "export", machine], stdout=subprocess.PIPE) as source:
            taken = subprocess.run(
                ["docker", "exec", "-i", container, "tar", "-x", "-C", tree], stdin=source.stdout, check=False
            )
    finally:
        docker("start", machine)
    assert (source.returncode, taken.returncode) == (0, 0)
    docker("exec", "-i", container, "tar", "-x", "-C", tree, data=packed(files))
    docker("exec", container, PREPARE, tree, name, address, f"{WORK}/disk")
    docker("exec", container, "sh", "-c", QEMU, check=False, timeout=BOOT_SECONDS + 60)
    said = docker("exec", container, "cat", f"{WORK}/report").stdout
    console = docker("exec", container, "tail", "-c", "3000", f"{WORK}/console").stdout
    assert said.strip(), f"{name} said nothing; its console ends with: {console}"
    told: dict[str, Any] = json.loads(said)
    assert "error" not in told, told
    return told


def packed(files: Mapping[str, str]) -> bytes:
    """Files of the proof as an archive; its given values are root's alone."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for name, text in files.items():
            data, entry = text.encode(), tarfile.TarInfo(f"{PLACE}/{name}")
            entry.size, entry.mode = len(data), 0o600
            archive.addfile(entry, io.BytesIO(data))
    return stream.getvalue()
