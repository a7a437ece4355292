"""AppArmor as the kernel sees it: whether there is any, what is loaded, what a process runs under."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible.module_utils.rackwright import command

UNCONFINED = "unconfined"
_ENABLED = "sys/module/apparmor/parameters/enabled"
_POLICY = "sys/kernel/security/apparmor"
_LINE = re.compile(r"(.+) \((\w+)\)")


@dataclass(frozen=True)
class Running:
    """A unit that runs: its name, and the profile and mode of its main process (`unconfined`, no mode)."""

    unit: str
    profile: str
    mode: str


def lacking(root: Path = Path("/")) -> str:
    """Return why this host can have no profiles, in words; empty when it can."""
    try:
        enabled = (root / _ENABLED).read_text(encoding="ascii").strip()
    except OSError:
        return "its kernel has no AppArmor"
    if enabled != "Y":
        return "AppArmor is switched off in its kernel (boot it with apparmor=1 security=apparmor)"
    if not (root / _POLICY / ".load").exists():
        return "it is a container, whose kernel another machine looks after"
    return ""


def parse(text: str) -> tuple[str, str]:
    """Return profile and mode of what the kernel says of a process, or of a line of its list."""
    match = _LINE.fullmatch(text.strip().rstrip("\0"))
    return (match[1], match[2]) if match else (UNCONFINED, "")


def loaded(root: Path = Path("/")) -> dict[str, str]:
    """Return the mode of each loaded profile."""
    text = (root / _POLICY / "profiles").read_text(encoding="utf-8")
    return dict(parse(line) for line in text.splitlines())


def of_process(pid: str, root: Path = Path("/")) -> tuple[str, str]:
    """Return profile and mode of a process."""
    try:
        return parse((root / "proc" / pid / "attr/current").read_text(encoding="utf-8"))
    except OSError:
        return UNCONFINED, ""


def running(units: list[str], root: Path = Path("/")) -> list[Running]:
    """Return those of some units that have a main process, with what that runs under."""
    if not units:
        return []
    asked = command.run(["systemctl", "show", "--property=MainPID", "--", *units])
    pids = re.findall(r"^MainPID=(\d+)$", asked.stdout, re.MULTILINE)
    return [
        Running(unit, *of_process(pid, root)) for unit, pid in zip(units, pids, strict=False) if pid != "0"
    ]


def report(profiles: list[dict[str, Any]]) -> dict[str, Any]:
    """Return what an audit must know.

    Args:
        profiles: Those that services are to run under, as the module `confinement` takes them.

    Returns:
        `lacking`, why there can be none; `wanted`, the profiles again; `units`, what each of their units runs
        under; `containers`, the same of each container, as Docker says it.
    """
    why = lacking()
    found: dict[str, Any] = {"lacking": why, "wanted": profiles, "units": [], "containers": []}
    if why:
        return found
    for unit in running([name for entry in profiles for name in entry["units"]]):
        found["units"].append({"unit": unit.unit, "profile": unit.profile, "mode": unit.mode})
    names = command.run(["docker", "ps", "--quiet"]).stdout.split()
    shown = ["docker", "inspect", "--format", "{{.Name}} {{.AppArmorProfile}}", *names]
    for line in command.run(shown).stdout.splitlines() if names else []:
        name, _, profile = line.strip().lstrip("/").partition(" ")
        # Of a daemon without AppArmor it is empty.
        found["containers"].append({"name": name, "profile": profile or UNCONFINED})
    return found


def unload(profile: str, root: Path = Path("/")) -> None:
    """Take a profile out of the kernel; what runs under it is confined no more from then on."""
    (root / _POLICY / ".remove").write_text(profile, encoding="utf-8")
