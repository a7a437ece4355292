"""Asks apt which packages a system needs, as a machine with nothing on it would: ours has no part in it."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import unquote

from rackwright.bundle.manifest import BundleError
from rackwright.bundle.systems import PackageSet, System

# 'URI' name size, and a checksum where apt's version says one.
_LINE = re.compile(r"^'[^']+' \S+ \d+( \S*)?$")
_KEYRINGS = {
    "debian": "/usr/share/keyrings/debian-archive-keyring.gpg",
    "ubuntu": "/usr/share/keyrings/ubuntu-archive-keyring.gpg",
}
# As roles/nvidia_driver has it on hosts: the driver's packages, and these alone, come from there.
_PREFERENCES = """Package: src:nvidia-graphics-drivers src:nvidia-open-gpu-kernel-modules
Pin: release n={suite}
Pin-Priority: 600
"""
_UNKNOWN = re.compile(r"Unable to locate package (\S+)|Package '(\S+)' has no installation candidate")


@dataclass(frozen=True)
class Deb:
    """One package that has to be fetched.

    Attributes:
        uri: Where apt would fetch it.
        stanza: Its entry in the archive's index, which the archive's key has signed.
    """

    uri: str
    stanza: Mapping[str, str]

    @property
    def sha256(self) -> str:
        """Of the file, as the signed index says."""
        return self.stanza["SHA256"]

    @property
    def size(self) -> int:
        """Bytes of the file."""
        return int(self.stanza["Size"])

    @property
    def file(self) -> str:
        """Name of the file; the version's colon, which some file systems refuse, is left out."""
        version = self.stanza["Version"].partition(":")[2] or self.stanza["Version"]
        return f"{self.stanza['Package']}_{version}_{self.stanza['Architecture']}.deb"


class AptRoot:
    """A directory with an apt of its own: lists, an empty dpkg database, and nothing installed."""

    def __init__(
        self,
        root: Path,
        system: System,
        archives: Mapping[str, str],
        *,
        further: Sequence[str] = (),
        stale: bool = False,
    ) -> None:
        """Make the directory.

        Args:
            root: Where; it may be there from an earlier run.
            system: Whose packages are meant.
            archives: Base URLs by archive, those of a profile's `archives`.
            further: Suites of the main archive that are looked into for single packages: backports.
            stale: Whether indexes past their date are taken (an archive that somebody froze).
        """
        self.root = root
        self.system = system
        for part in ("etc/apt/apt.conf.d", "etc/apt/preferences.d", "var/lib/apt/lists/partial",
                     "var/lib/dpkg", "var/cache/apt/archives/partial", "etc/apt/trusted.gpg.d"):  # fmt: skip
            (root / part).mkdir(parents=True, exist_ok=True)
        (root / "var/lib/dpkg/status").write_bytes(b"")
        (root / "etc/apt/sources.list").write_text(self._sources(archives, further), encoding="utf-8")
        for suite in further:
            self._preferences(suite).write_text(_PREFERENCES.format(suite=suite), encoding="utf-8")
        settings = [
            f'Dir "{root}";',
            f'Dir::State::status "{root}/var/lib/dpkg/status";',
            f'APT::Architecture "{system.architecture}";',
            f'APT::Architectures {{ "{system.architecture}"; }};',
            'Acquire::Languages "none";',
            'APT::Install-Recommends "false";',
            # Indexes are read by the user who builds; the sandbox's own could not write here.
            f'APT::Sandbox::User "{_user()}";',
            "Acquire::Retries 3;",
        ]
        if stale:
            settings.append('Acquire::Check-Valid-Until "false";')
        self.configuration = root / "apt.conf"
        self.configuration.write_text("\n".join(settings) + "\n", encoding="utf-8")

    def _preferences(self, suite: str) -> Path:
        return self.root / "etc/apt" / f"preferences-{suite}"

    def _sources(self, archives: Mapping[str, str], further: Sequence[str]) -> str:
        keyring = _KEYRINGS[self.system.distribution]
        if not Path(keyring).is_file():
            raise BundleError(
                f"{keyring} is not there: nobody could tell whether an index is {self.system.text}'s",
                hint=f"sudo apt-get install {Path(keyring).stem}",
            )
        lines = []
        first = self.system.suites[0]
        for suite in (*self.system.suites, *(replace(first, name=name) for name in further)):
            if archives.get(suite.archive):
                where = archives[suite.archive].rstrip("/")
                lines.append(f"deb [signed-by={keyring}] {where} {suite.name} {' '.join(suite.components)}")
        return "\n".join(lines) + "\n"

    def update(self) -> None:
        """Fetch the indexes; apt checks their signatures.

        Raises:
            BundleError: An archive does not answer, or its signature is not its key's.
        """
        done = self._run("apt-get", ["-q", "update", "-o", "APT::Update::Error-Mode=any"])
        if done.returncode:
            raise BundleError(f"the package lists of {self.system.text} were not fetched:\n{_said(done)}")

    def closure(self, sets: Iterable[PackageSet], say: Callable[[str], None]) -> list[Deb]:
        """Return these packages and all that they depend on, down to the C library.

        Args:
            sets: What hosts get together; packages of two hosts need not go together.
            say: Is told of optional packages that are not there.

        Raises:
            BundleError: One is unknown, or those of a set do not go together.
        """
        wanted: set[str] = set()
        for each in sets:
            there = [name for name in each.optional if self._knows(name)]
            for name in sorted(set(each.optional) - set(there)):
                say(f"the archive has no {name} any more: its hosts need the newer kernel that comes along")
            wanted |= self._uris((*each.names, *there), each.suite)
        found = dict(self._described(wanted))
        lacking = sorted(wanted - set(found))
        if lacking:
            raise BundleError(f"no index describes {lacking[0]}")
        return [Deb(uri, found[uri]) for uri in sorted(found)]

    def _knows(self, name: str) -> bool:
        return self._run("apt-cache", ["-q", "show", "--", name]).returncode == 0

    def _uris(self, names: Sequence[str], suite: str) -> set[str]:
        """Return the addresses of a set's files."""
        chosen = ["-o", f"Dir::Etc::Preferences={self._preferences(suite)}"] if suite else []
        done = self._run("apt-get", [*chosen, "-qq", "--print-uris", "-y", "install", "--", *names])
        if done.returncode:
            unknown = sorted({one or other for one, other in _UNKNOWN.findall(done.stderr)})
            told = f"not there: {', '.join(unknown)}" if unknown else _said(done)
            raise BundleError(f"{self.system.text}: {' '.join(names)}: {told}")
        lines = list(filter(None, map(str.strip, done.stdout.splitlines())))
        odd = [line for line in lines if not _LINE.match(line)]
        if odd:
            raise BundleError(f"apt's answer cannot be read: {odd[0][:120]}")
        return {unquote(line.split("'")[1]) for line in lines}

    def dates(self) -> list[str]:
        """Return the dates of the archive's release files."""
        found = []
        for path in sorted((self.root / "var/lib/apt/lists").glob("*Release")):
            match = re.search(
                r"^Date: (.+)$", path.read_text(encoding="utf-8", errors="replace"), re.MULTILINE
            )
            found += [match[1].strip()] if match else []
        return found

    def _described(self, wanted: set[str]) -> Iterator[tuple[str, dict[str, str]]]:
        """Yield these addresses with their entries in the indexes, which are read a stanza at a time."""
        listed = self._run(
            "apt-get", ["indextargets", "--format", "$(FILENAME) $(REPO_URI)", "Created-By: Packages"]
        )
        for line in listed.stdout.splitlines():
            target, base = line.split()
            with subprocess.Popen(
                ["/usr/lib/apt/apt-helper", "cat-file", target],
                stdout=subprocess.PIPE,
                text=True,
                encoding="utf-8",
            ) as reader:
                for stanza in stanzas(reader.stdout or ()):
                    uri = f"{base.rstrip('/')}/{stanza['Filename']}"
                    if uri in wanted:
                        yield uri, stanza

    def _run(self, program: str, arguments: Sequence[str]) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "APT_CONFIG": str(self.configuration), "LC_ALL": "C.UTF-8"}
        return subprocess.run(
            [program, *arguments], env=environment, capture_output=True, text=True, check=False
        )


def stanzas(lines: Iterable[str]) -> Iterator[dict[str, str]]:
    """Yield the stanzas of an index in Debian's control format, one after the other.

    Args:
        lines: As they are read.
    """
    stanza: dict[str, str] = {}
    key = ""
    for raw in lines:
        line = raw.rstrip("\n")
        if not line:
            if stanza:
                yield stanza
            stanza, key = {}, ""
        elif line[0] in " \t":
            stanza[key] += "\n" + line
        else:
            key, _, value = line.partition(":")
            stanza[key] = value.strip()
    if stanza:
        yield stanza


def _user() -> str:
    return "root" if os.geteuid() == 0 else str(os.geteuid())


def _said(done: subprocess.CompletedProcess[str]) -> str:
    return "\n".join((done.stderr or done.stdout).strip().splitlines()[-8:])
