"""The systems that hosts run, by the names that sites use: `debian-13/amd64`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from rackwright.bundle.manifest import BundleError

# Distribution and release -> code name, Python.
RELEASES: Mapping[str, tuple[str, str]] = {
    "debian-12": ("bookworm", "3.11"),
    "debian-13": ("trixie", "3.13"),
    "ubuntu-22.04": ("jammy", "3.10"),
    "ubuntu-24.04": ("noble", "3.12"),
}
# Debian's name of an architecture -> Python's and the container world's.
ARCHITECTURES: Mapping[str, str] = {"amd64": "x86_64", "arm64": "aarch64"}
_FORM = re.compile(r"(?P<system>[a-z]+-[0-9.]+)/(?P<arch>[a-z0-9]+)")
_SUITES: Mapping[str, tuple[tuple[str, str], ...]] = {
    "debian": (("debian", "{}"), ("debian", "{}-updates"), ("debian-security", "{}-security")),
    "ubuntu": (("ubuntu", "{}"), ("ubuntu", "{}-updates"), ("ubuntu-security", "{}-security")),
}
_COMPONENTS: Mapping[str, tuple[str, ...]] = {
    "debian": ("main", "contrib", "non-free", "non-free-firmware"),
    "ubuntu": ("main", "restricted", "universe", "multiverse"),
}


@dataclass(frozen=True)
class Suite:
    """One part of a distribution's archive.

    Attributes:
        archive: Its name among a profile's `archives`.
        name: apt's name, `trixie-updates`.
        components: Those that are looked into.
    """

    archive: str
    name: str
    components: tuple[str, ...]


@dataclass(frozen=True)
class System:
    """A system on a kind of machine.

    Attributes:
        name: `debian-13`, as in the roles' meta/packages.yml.
        architecture: Debian's name, `amd64`.
    """

    name: str
    architecture: str

    @property
    def text(self) -> str:
        """As a site writes it."""
        return f"{self.name}/{self.architecture}"

    @property
    def distribution(self) -> str:
        """Its first part, `debian`."""
        return self.name.partition("-")[0]

    @property
    def codename(self) -> str:
        """The release's name, `trixie`."""
        return RELEASES[self.name][0]

    @property
    def python(self) -> str:
        """The release's Python, `3.13`."""
        return RELEASES[self.name][1]

    @property
    def machine(self) -> str:
        """As `uname -m` says it."""
        return ARCHITECTURES[self.architecture]

    @property
    def suites(self) -> tuple[Suite, ...]:
        """Return the parts of the archive that a host takes packages from."""
        found = []
        for archive, pattern in _SUITES[self.distribution]:
            # Ubuntu keeps all architectures but amd64 in an archive of their own.
            ports = self.distribution == "ubuntu" and self.architecture != "amd64"
            where = "ubuntu-ports" if ports else archive
            found.append(Suite(where, pattern.format(self.codename), _COMPONENTS[self.distribution]))
        return tuple(found)


@dataclass(frozen=True)
class PackageSet:
    """Packages that come onto one host together.

    Attributes:
        system: The host's.
        names: Sorted.
        suite: From which a driver's packages are taken, against the archive's own order: `trixie-backports`.
        optional: Names that come along where the archive still has them.
    """

    system: System
    names: tuple[str, ...]
    suite: str = ""
    optional: tuple[str, ...] = ()


def parse(text: str) -> System:
    """Return the system of a name.

    Raises:
        BundleError: There is no such system.
    """
    match = _FORM.fullmatch(text)
    if match is None or match["system"] not in RELEASES or match["arch"] not in ARCHITECTURES:
        known = ", ".join(f"{name}/{arch}" for name in RELEASES for arch in ARCHITECTURES)
        raise BundleError(
            f"bundle_systems: {text!r} is no system that is known", hint=f"write one of: {known}"
        )
    return System(match["system"], match["arch"])
