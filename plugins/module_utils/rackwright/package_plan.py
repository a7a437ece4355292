"""Which packages are missing: pure functions over what dpkg and apt say."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

# What dpkg-query is asked for, and parse_installed reads.
QUERY_FORMAT = "${db:Status-Abbrev}\t${Package}\t${Architecture}\t${Version}\t${Provides}\n"

_LINE = re.compile(r"([^\t]{2,3})\t([^\t]*)\t([^\t]*)\t([^\t]*)\t([^\t]*)")

# name, name:architecture, name=version, name/suite. apt takes a final minus for "remove".
_NAME = re.compile(r"(?P<name>[a-z0-9][a-z0-9+.-]*[a-z0-9+.])(:(?P<arch>[a-z0-9-]+))?([=/](?P<pin>[^\s]+))?")


class NameRefusedError(ValueError):
    """A name that apt would take for something else."""


@dataclass(frozen=True)
class Wanted:
    """A package as asked for; version is None when any will do."""

    text: str
    name: str
    architecture: str | None
    version: str | None


@dataclass(frozen=True)
class Package:
    """A package that dpkg knows."""

    name: str
    architecture: str
    version: str
    desired: str
    status: str
    damaged: bool

    @property
    def installed(self) -> bool:
        """Whether its files are there and configured, waiting triggers included."""
        return self.status in "iWt" and not self.damaged

    @property
    def half_done(self) -> bool:
        """Whether an interrupted run of dpkg left it on the way."""
        return self.damaged or self.status in "HUFWt"


@dataclass
class Installed:
    """What dpkg says about this host."""

    packages: list[Package] = field(default_factory=list)
    provided: set[str] = field(default_factory=set)

    @property
    def half_done(self) -> list[str]:
        """Names of the packages that wait to be mended."""
        return sorted({package.name for package in self.packages if package.half_done})

    def versions(self) -> dict[str, str]:
        """Versions of what is installed, by name (with the architecture when several are)."""
        names = [package.name for package in self.packages if package.installed]
        return {
            (f"{p.name}:{p.architecture}" if names.count(p.name) > 1 else p.name): p.version
            for p in self.packages
            if p.installed
        }


@dataclass
class Plan:
    """What has to be installed, and which of it dpkg was told to hold."""

    missing: list[Wanted] = field(default_factory=list)
    held: list[str] = field(default_factory=list)


def parse_wanted(text: str) -> Wanted:
    """Read a package name as apt-get takes it.

    Raises:
        NameRefusedError: apt would read it as a pattern, an option or a removal.
    """
    match = _NAME.fullmatch(text)
    if not match:
        raise NameRefusedError(
            f"{text!r} is not a package name; write name, name:arch, name=version or name/suite"
        )
    version = match["pin"] if "=" in text else None
    return Wanted(text, match["name"], match["arch"], version)


def parse_installed(output: str) -> Installed:
    """Read the answer of dpkg-query to QUERY_FORMAT; other lines are passed over."""
    result = Installed()
    for line in output.splitlines():
        match = _LINE.fullmatch(line)
        if not match:
            continue
        state, name, architecture, version, provides = match.groups()
        state = state.ljust(3)
        package = Package(name, architecture, version, state[0], state[1], state[2] == "R")
        if package.status in "nc" and not package.damaged:
            # Known by name only, or just its settings are left; a hold on it still counts.
            if package.desired == "h":
                result.packages.append(package)
            continue
        result.packages.append(package)
        if package.installed:
            result.provided |= {entry.split("(")[0].strip() for entry in provides.split(",") if entry.strip()}
    return result


def plan(wanted: list[Wanted], installed: Installed) -> Plan:
    """Compare what is wanted with what is there.

    Args:
        wanted: Names as asked for; doubles are of no account.
        installed: What dpkg says.

    Returns:
        The missing ones in order, and those of them that dpkg is told to hold.
    """
    result = Plan()
    by_name: dict[str, list[Package]] = {}
    for package in installed.packages:
        by_name.setdefault(package.name, []).append(package)
    seen: set[str] = set()
    for want in wanted:
        if want.text in seen:
            continue
        seen.add(want.text)
        known = [
            p
            for p in by_name.get(want.name, [])
            if want.architecture in (None, "any", p.architecture, "native")
        ]
        if any(p.installed and want.version in (None, p.version) for p in known):
            continue
        bare = want.architecture is None and want.version is None
        if bare and want.name in installed.provided:
            continue
        result.missing.append(want)
        if any(package.desired == "h" for package in known):
            result.held.append(want.name)
    return result


_UNKNOWN = (
    re.compile(r"^E: Unable to locate package (?P<name>\S+)", re.MULTILINE),
    re.compile(r"^E: Package '(?P<name>[^']+)' has no installation candidate", re.MULTILINE),
    re.compile(r"^E: Version '(?P<version>[^']+)' for '(?P<name>[^']+)' was not found", re.MULTILINE),
    re.compile(r"^E: Release '(?P<version>[^']+)' for '(?P<name>[^']+)' was not found", re.MULTILINE),
)
_HELD = re.compile(r"^The following held packages will be changed:\n((?:  .*\n)+)", re.MULTILINE)
_SIMULATED = re.compile(r"^Inst (?P<name>\S+) (?:\[(?P<old>[^\]]+)\] )?\((?P<new>\S+)", re.MULTILINE)

_REMOVED = re.compile(r"^(?:Remv|Purg) (?P<name>\S+) \[(?P<old>[^\]]+)\]", re.MULTILINE)
_POLICY = re.compile(r"^ +Installed: (\S+)\n +Candidate: (\S+)$", re.MULTILINE)


def unknown_names(output: str) -> list[str]:
    """The names that apt does not know or cannot offer in the asked version."""
    found: list[str] = []
    for pattern in _UNKNOWN:
        for match in pattern.finditer(output):
            version = match.groupdict().get("version")
            name = f"{match['name']}={version}" if version else match["name"]
            found += [] if name in found else [name]
    return found


def simulated(output: str) -> list[dict[str, str]]:
    """What `apt-get --simulate install` would install: name, version and any previous one, sorted by name."""
    found = {match["name"]: match for match in _SIMULATED.finditer(output)}
    return [
        {"name": name, "version": match["new"], **({"previous": match["old"]} if match["old"] else {})}
        for name, match in sorted(found.items())
    ]


def simulated_removals(output: str) -> list[dict[str, str]]:
    """What `apt-get --simulate install` would take away: name and version, sorted by name."""
    found = {match["name"]: match["old"] for match in _REMOVED.finditer(output)}
    return [{"name": name, "version": found[name]} for name in sorted(found)]


def is_newest(policy: str) -> bool:
    """Whether of all packages that `apt-cache policy` told of, the version that is there is the candidate."""
    pairs = _POLICY.findall(policy)
    return bool(pairs) and all(there == candidate for there, candidate in pairs)


def differing(before: dict[str, str], after: dict[str, str]) -> list[dict[str, str]]:
    """What is new or has another version, as `simulated` says it."""
    return [
        {
            "name": name,
            "version": after[name],
            **({"previous": before[name]} if name in before else {}),
        }
        for name in sorted(after)
        if before.get(name) != after[name]
    ]


def explain(output: str) -> str:
    """Say in one sentence why apt failed and what to do; then its own last words."""
    unknown = unknown_names(output)
    last = "\n".join(line for line in output.splitlines() if line.strip())[-2000:]
    if unknown:
        return (
            f"apt offers no {', '.join(unknown)}: check the spelling, the repositories of this host "
            "and whether the package proxy carries them"
        )
    held = _HELD.search(output)
    if held:
        names = held[1].split()
        return (
            f"{', '.join(names)}: on hold, yet to be changed; release it: apt-mark unhold {' '.join(names)}"
        )
    causes = (
        (r"Could not get lock|Unable to lock", "another program kept the package database locked; try again"),
        (
            r"Temporary failure resolving|(Could not|Unable to) connect|Connection (failed|refused|timed)",
            "the packages cannot be fetched: check package_proxy and this host's firewall",
        ),
        (r"No space left on device|don't have enough free space", "the disk is full: free some space first"),
        (r"NO_PUBKEY|is not signed", "a repository is not signed by a known key: install its key first"),
        (r"unmet dependencies|held broken packages", "the packages do not fit each other"),
        (r"post-installation script|Sub-process /usr/bin/dpkg", "a package's own script failed"),
    )
    for pattern, sentence in causes:
        if re.search(pattern, output):
            return f"{sentence}\n{last}"
    return f"apt failed\n{last}"
