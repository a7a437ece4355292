"""What a wheelhouse is made for, and what comes out."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from pathlib import Path

from rackwright.errors import RackwrightError

ARCHITECTURES = ("x86_64", "aarch64")
_OLDEST = (3, 11)
# The newest C library among the supported systems (Debian 13's), and manylinux2014's.
_NEWEST_GLIBC, _OLDEST_GLIBC = 41, 17


@dataclass(frozen=True)
class Target:
    """An interpreter on a kind of machine.

    Attributes:
        python: Its version, `3.13`.
        arch: The machine, as `uname -m` says it.
        glibc: Its C library, 2.`glibc`.
    """

    python: str
    arch: str
    glibc: int = _NEWEST_GLIBC

    def __post_init__(self) -> None:
        """Refuse what the app cannot run on.

        Raises:
            RackwrightError: No version, one that is too old, or an unknown machine.
        """
        if not re.fullmatch(r"3\.\d{1,2}", self.python):
            raise RackwrightError(f"python {self.python!r}: is no version", hint="write it as 3.13")
        if self.minor < _OLDEST[1]:
            raise RackwrightError(
                f"python {self.python}: the app needs 3.{_OLDEST[1]} or newer",
                hint="put the app on a host with Debian 12 or newer, or with Ubuntu 24.04 or newer",
            )
        if self.arch not in ARCHITECTURES:
            raise RackwrightError(f"arch {self.arch!r}: must be one of {', '.join(ARCHITECTURES)}")

    @property
    def minor(self) -> int:
        """The second part of the version."""
        return int(self.python.split(".")[1])

    @property
    def tag(self) -> str:
        """Short name, for files: `cp313-x86_64`."""
        return f"cp3{self.minor}-{self.arch}"

    def platforms(self) -> list[str]:
        """Platform tags of the wheels that run there, newest first."""
        minors = range(self.glibc, _OLDEST_GLIBC - 1, -1)
        return [*(f"manylinux_2_{minor}_{self.arch}" for minor in minors), f"manylinux2014_{self.arch}"]

    def environment(self) -> dict[str, str]:
        """The markers of a requirement, as that interpreter would answer them."""
        return {
            "implementation_name": "cpython",
            # The last part is unknown before the host is asked; ours compare with the first two alone.
            "implementation_version": f"{self.python}.99",
            "os_name": "posix",
            "platform_machine": self.arch,
            "platform_python_implementation": "CPython",
            "platform_release": "",
            "platform_system": "Linux",
            "platform_version": "",
            "python_full_version": f"{self.python}.99",
            "python_version": self.python,
            "sys_platform": "linux",
            "extra": "",
        }


@dataclass(frozen=True)
class Wheelhouse:
    """A finished archive.

    Attributes:
        archive: The tar file on the control node.
        sha256: Its checksum; it also names the release on the hosts.
        version: Of the app.
        python: What it is for, `3.13`.
        arch: What it is for, `x86_64`.
    """

    archive: Path
    sha256: str
    version: str
    python: str
    arch: str

    def as_dict(self) -> dict[str, str]:
        """The same, for JSON and for Ansible."""
        return asdict(self) | {"archive": str(self.archive)}
