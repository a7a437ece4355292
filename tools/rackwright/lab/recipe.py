"""What goes into the lab's images; an image's tag is a hash of all of it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

from rackwright.lab.mirror import Mirror, through_cache

FILES = Path(__file__).parent / "files"
USER = "rackwright"

# What a server has after a minimal installation with SSH.
BARE_SERVER = (
    "systemd",
    "systemd-sysv",
    "dbus",
    "python3",
    "python3-apt",
    "sudo",
    "iproute2",
    "ca-certificates",
    "openssh-server",
    "iputils-ping",
    "procps",
)
BOOT_FILES = (
    ("host-network.sh", "/usr/local/sbin/rackwright-lab-network", 0o755),
    ("rackwright-lab-network.service", "/etc/systemd/system/rackwright-lab-network.service", 0o644),
)
GATEWAY_FILES = (
    ("package-proxy.socket", "/etc/systemd/system/package-proxy.socket", 0o644),
    ("package-proxy.service", "/etc/systemd/system/package-proxy.service", 0o644),
    ("packages-acng.conf", "/etc/rackwright-packages/acng.conf", 0o644),
)


@dataclass(frozen=True)
class ImageFile:
    """A file of the image: its absolute path, content and mode."""

    path: str
    content: str
    mode: int


@dataclass(frozen=True)
class Recipe:
    """A Debian system to be built by mmdebstrap and handed to Docker.

    Attributes:
        name: The image's name under `rackwright/`.
        release: Debian's code name.
        architecture: Debian's name of it.
        sources: Lines for apt while the image is built.
        packages: What is installed on top of the minimal system.
        files: What is written into it afterwards.
        commands: Shell commands run as root inside it, in order, after the files.
        variant: mmdebstrap's word for what the minimal system is.
        options: Further options of mmdebstrap.
        changes: Dockerfile instructions for `docker import`.
    """

    name: str
    release: str
    architecture: str
    sources: tuple[str, ...]
    packages: tuple[str, ...]
    files: tuple[ImageFile, ...] = ()
    commands: tuple[str, ...] = ()
    variant: str = "minbase"
    options: tuple[str, ...] = ()
    changes: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """Return the hash of the whole recipe, 12 hexadecimal digits."""
        text = json.dumps(asdict(self), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    @property
    def tag(self) -> str:
        """Return the image's full name in Docker."""
        return f"rackwright/{self.name}:{self.release}-{self.digest}"


def host_recipe(release: str, architecture: str, mirror: Mirror) -> Recipe:
    """Return the recipe of the lab's machines: a bare server, as an installer leaves it."""
    return _system("host", release, architecture, mirror, (), (), ())


def gateway_recipe(release: str, architecture: str, mirror: Mirror) -> Recipe:
    """Return the recipe of the gateway, which also serves as the package cache."""
    return _system(
        "gateway",
        release,
        architecture,
        mirror,
        ("nftables", "apt-cacher-ng"),
        GATEWAY_FILES,
        (
            "systemctl enable package-proxy.socket",
            # The cache runs in a container of its own, and no rules but the gateway's are loaded.
            "systemctl disable apt-cacher-ng.service nftables.service",
        ),
    )


def sources_of(release: str, mirror: Mirror) -> tuple[str, ...]:
    """Return apt's sources of a release: main archive, updates, security where there is a mirror of it."""
    lines = [f"deb {mirror.main} {release} main", f"deb {mirror.main} {release}-updates main"]
    if mirror.security:
        lines.append(f"deb {mirror.security} {release}-security main")
    return tuple(lines)


def _system(
    name: str,
    release: str,
    architecture: str,
    mirror: Mirror,
    packages: tuple[str, ...],
    files: tuple[tuple[str, str, int], ...],
    commands: tuple[str, ...],
) -> Recipe:
    installed = tuple(
        ImageFile(path, (FILES / source).read_text(encoding="utf-8"), mode)
        for source, path, mode in (*BOOT_FILES, *files)
    )
    return Recipe(
        name=name,
        release=release,
        architecture=architecture,
        sources=sources_of(release, mirror),
        packages=(*BARE_SERVER, *packages),
        files=(
            *installed,
            ImageFile("/etc/apt/sources.list", _host_sources(release, mirror), 0o644),
            ImageFile("/etc/apt/apt.conf.d/90rackwright-lab", _apt_settings(mirror), 0o644),
            ImageFile(f"/etc/sudoers.d/{USER}", f"{USER} ALL=(ALL) NOPASSWD: ALL\n", 0o440),
            # Empty and not "uninitialized": a new machine gets its own without the first-boot presets.
            ImageFile("/etc/machine-id", "", 0o444),
        ),
        commands=(
            f"useradd --create-home --shell /bin/bash {USER}",
            "systemctl enable ssh.service rackwright-lab-network.service",
            # Host keys are made at the first boot, one set for each machine.
            "rm -f /etc/ssh/ssh_host_*_key /etc/ssh/ssh_host_*_key.pub /var/lib/dbus/machine-id",
            *commands,
        ),
        changes=("ENV container=docker", 'CMD ["/sbin/init"]'),
    )


def _host_sources(release: str, mirror: Mirror) -> str:
    cached = Mirror(through_cache(mirror.main), through_cache(mirror.security) if mirror.security else None)
    return "\n".join(sources_of(release, cached)) + "\n"


def _apt_settings(mirror: Mirror) -> str:
    settings = ['Acquire::Languages "none";']
    if mirror.stale:
        settings.append('Acquire::Check-Valid-Until "false";')
    return "\n".join(settings) + "\n"
