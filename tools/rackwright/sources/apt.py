"""What apt on a host is told of the site's sources; nothing of the host's own is touched."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rackwright.bundle.systems import System
from rackwright.errors import RackwrightError

DIRECTORY = "/etc/apt/rackwright"
SETTING = "/etc/apt/apt.conf.d/00rackwright-sources"
AUTHORITY = f"{DIRECTORY}/authority.pem"
SIGNER = f"{DIRECTORY}/signer.asc"
LIST = f"{DIRECTORY}/sources.list.d/site.sources"
_MARK = "Managed by Rackwright"
_KEYRINGS = {
    "debian": "/usr/share/keyrings/debian-archive-keyring.gpg",
    "ubuntu": "/usr/share/keyrings/ubuntu-archive-keyring.gpg",
}
_DEBIAN_NAMES = {"x86_64": "amd64", "aarch64": "arm64"}


def apt_files(sources: Mapping[str, Any], keys: Sequence[str], machine: str = "x86_64") -> dict[str, str]:
    """Return the files that apt reads in the place of the host's own sources: path -> content.

    Args:
        sources: The site's (group_vars/all/sources.yml); where apt is `bundle`, the value
            `bundle` says the base of the repositories and the texts of the signer's key and of the authority.
        keys: The host's system, `debian-13` first.
        machine: The host's, as `uname -m` says it.

    Raises:
        RackwrightError: The sources have nothing for this system.
    """
    kind = sources.get("apt", "own")
    if kind == "own":
        return {}
    system = System(keys[0], _DEBIAN_NAMES.get(machine, machine))
    try:
        entries, files = _bundle(sources, system) if kind == "bundle" else _archives(sources, system)
    except KeyError as error:
        raise RackwrightError(
            f"sources: nothing for {keys[0]} ({error.args[0]} is missing)",
            hint="name its archives in source_overrides (docs/sources.md)",
        ) from error
    setting = [
        f"// {_MARK}: the host's own sources are left as they are, and not read.",
        'Dir::Etc::SourceList "/dev/null";',
        f'Dir::Etc::SourceParts "{Path(LIST).parent}";',
    ]
    if files.get(AUTHORITY):
        setting.append(f'Acquire::https::CAInfo "{AUTHORITY}";')
    return {SETTING: "\n".join(setting) + "\n", LIST: f"# {_MARK}\n" + "\n\n".join(entries) + "\n", **files}


def _archives(sources: Mapping[str, Any], system: System) -> tuple[list[str], dict[str, str]]:
    archives = sources["archives"]
    return [
        _entry(
            archives[suite.archive], suite.name, " ".join(suite.components), _KEYRINGS[system.distribution]
        )
        for suite in system.suites
        if suite.archive not in archives or archives[suite.archive]
    ], {}


def _bundle(sources: Mapping[str, Any], system: System) -> tuple[list[str], dict[str, str]]:
    bundle = sources["bundle"]
    # Its index is as old as the bundle is, and that is meant.
    entry = _entry(f"{bundle['base']}/apt", f"{system.name}/{system.architecture}/", "", SIGNER)
    files = {SIGNER: bundle["signer"]}
    if bundle.get("authority"):
        files[AUTHORITY] = bundle["authority"]
    return [entry], files


def _entry(uri: str, suite: str, components: str, signed_by: str) -> str:
    lines = ["Types: deb", f"URIs: {uri.rstrip('/')}/", f"Suites: {suite}"]
    if components:
        lines.append(f"Components: {components}")
    return "\n".join([*lines, f"Signed-By: {signed_by}"])
