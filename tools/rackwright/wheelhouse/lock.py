"""Reads a lock file with hashes and picks what one target needs."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from packaging.markers import Marker
from packaging.requirements import InvalidRequirement, Requirement

from rackwright.errors import RackwrightError
from rackwright.wheelhouse.target import Target

_HASH = re.compile(r"--hash=(sha256:[0-9a-f]{64})")


@dataclass(frozen=True)
class Pinned:
    """One package of a lock."""

    name: str
    version: str
    marker: Marker | None
    hashes: tuple[str, ...]

    def line(self) -> str:
        """The requirement for pip, without its marker."""
        return " \\\n    ".join([f"{self.name}=={self.version}", *(f"--hash={each}" for each in self.hashes)])


def read_lock(path: Path) -> list[Pinned]:
    """Read a lock file.

    Args:
        path: As `uv pip compile --generate-hashes` writes it.

    Raises:
        RackwrightError: A line is no pinned requirement, or has no hash.
    """
    text = path.read_text(encoding="utf-8").replace("\\\n", " ")
    lines = (line.partition(" #")[0].strip() for line in text.splitlines())
    return [_pinned(line, path) for line in lines if line and not line.startswith("#")]


def needed(lock: list[Pinned], target: Target) -> list[Pinned]:
    """Pick what a target needs.

    pip would ask the markers of the interpreter that it runs in, even when it downloads for another one.
    """
    environment = target.environment()
    return [each for each in lock if each.marker is None or each.marker.evaluate(environment)]


def _pinned(line: str, path: Path) -> Pinned:
    hashes = tuple(_HASH.findall(line))
    try:
        requirement = Requirement(line.partition("--hash")[0].strip())
    except InvalidRequirement as error:
        raise RackwrightError(f"{path}: {line[:80]!r} is no requirement ({error})") from error
    versions = [each.version for each in requirement.specifier if each.operator == "=="]
    if len(versions) != 1 or not hashes:
        raise RackwrightError(
            f"{path}: {requirement.name} is not pinned to one version with a hash",
            hint="make the lock anew with the command that stands in its first lines",
        )
    return Pinned(requirement.name, versions[0], requirement.marker, hashes)
