"""Which Debian mirror the lab builds from: the one that this machine itself uses."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rackwright.errors import RackwrightError

MIRROR_VARIABLE = "RACKWRIGHT_DEBIAN_MIRROR"
SECURITY_VARIABLE = "RACKWRIGHT_DEBIAN_SECURITY_MIRROR"
APT_DIRECTORY = Path("/etc/apt")
# Suites of Debian's main archive; Ubuntu's and third parties' entries have other names.
_MAIN_SUITES = frozenset(
    {
        *("bullseye", "bookworm", "trixie", "forky", "duke", "sid"),
        *("oldoldstable", "oldstable", "stable", "testing", "unstable"),
    }
)
_ONE_LINE = re.compile(r"^deb\s+(?:\[[^\]]*\]\s+)?(\S+)\s+(\S+)\s+(.+)$")


@dataclass(frozen=True)
class AptEntry:
    """One source of packages: a base URI, its suites and components."""

    uri: str
    suites: tuple[str, ...]
    components: tuple[str, ...]


@dataclass(frozen=True)
class Mirror:
    """Where Debian's packages come from.

    Attributes:
        main: Base URI of the main archive.
        security: Base URI of the security archive, when this machine has one.
        stale: Whether this machine accepts release files past their date (a frozen mirror).
    """

    main: str
    security: str | None = None
    stale: bool = False


def through_cache(uri: str) -> str:
    """Return the URI to write on a host so that the package cache can keep what it fetches.

    The cache sees nothing of an encrypted connection; apt-cacher-ng therefore takes a marker in a plain URI
    and speaks TLS to the mirror itself.
    """
    return "http://HTTPS///" + uri.removeprefix("https://") if uri.startswith("https://") else uri


def find_mirror(apt_directory: Path = APT_DIRECTORY) -> Mirror:
    """Return the mirror named by RACKWRIGHT_DEBIAN_MIRROR, else that of this machine's apt sources.

    Raises:
        RackwrightError: Neither names Debian's main archive.
    """
    entries = list(read_sources(apt_directory))
    main = os.environ.get(MIRROR_VARIABLE) or next(
        (
            entry.uri
            for entry in entries
            if _MAIN_SUITES.intersection(entry.suites) and "main" in entry.components
        ),
        None,
    )
    if not main:
        raise RackwrightError(
            f"no source of Debian's main archive in {apt_directory}",
            hint=f"let {MIRROR_VARIABLE} name a mirror, for example http://mirror.example.org/debian",
        )
    security = os.environ.get(SECURITY_VARIABLE) or next(
        (entry.uri for entry in entries if any(suite.endswith("-security") for suite in entry.suites)), None
    )
    return Mirror(main.rstrip("/"), security.rstrip("/") if security else None, _accepts_stale_releases())


def read_sources(apt_directory: Path) -> Iterator[AptEntry]:
    """Yield the enabled binary sources in the order in which apt reads them."""
    parts = apt_directory / "sources.list.d"
    one_line = [apt_directory / "sources.list", *sorted(parts.glob("*.list"))]
    for path in one_line:
        if path.is_file():
            yield from parse_one_line(path.read_text(encoding="utf-8"))
    for path in sorted(parts.glob("*.sources")):
        yield from parse_deb822(path.read_text(encoding="utf-8"))


def parse_one_line(text: str) -> Iterator[AptEntry]:
    """Yield the entries of a file in the one-line format (`deb URI SUITE COMPONENT …`)."""
    for line in text.splitlines():
        match = _ONE_LINE.match(line.split("#", 1)[0].strip())
        if match and _is_remote(match[1]):
            yield AptEntry(match[1], (match[2],), tuple(match[3].split()))


def parse_deb822(text: str) -> Iterator[AptEntry]:
    """Yield the entries of a file in the deb822 format, one per URI."""
    for stanza in re.split(r"\n\s*\n", text):
        fields: dict[str, str] = {}
        name = ""
        for line in stanza.splitlines():
            if line.startswith("#") or not line.strip():
                continue
            if line[0] in " \t":
                fields[name] = f"{fields.get(name, '')} {line.strip()}"
                continue
            key, _, value = line.partition(":")
            name = key.strip().lower()
            fields[name] = value.strip()
        enabled = fields.get("enabled", "yes").lower() not in {"no", "false", "0"}
        if not enabled or "deb" not in fields.get("types", "").split():
            continue
        for uri in fields.get("uris", "").split():
            if _is_remote(uri):
                yield AptEntry(
                    uri, tuple(fields.get("suites", "").split()), tuple(fields.get("components", "").split())
                )


def _is_remote(uri: str) -> bool:
    return uri.startswith(("http://", "https://"))


def _accepts_stale_releases() -> bool:
    if not shutil.which("apt-config"):
        return False
    shown = subprocess.run(
        ["apt-config", "shell", "VALUE", "Acquire::Check-Valid-Until"],
        capture_output=True,
        text=True,
        check=False,
    )
    return "false" in shown.stdout.lower()
