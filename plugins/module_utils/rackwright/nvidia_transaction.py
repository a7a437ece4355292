"""Replace a driver's packages so that a failure leaves the old ones and a package database that is whole."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

from ansible.module_utils.rackwright import command, nvidia, nvidia_build
from ansible.module_utils.rackwright.package_install import Apt

_MAKE_LOG = re.compile(r"(/\S+/make\.log)")
_BASE = re.compile(r"[=/:].*$")
_APT = ["apt-get", "-y", "-q", "-o", "Dpkg::Options::=--force-confold", "-o", "DPkg::Lock::Timeout=120"]
_QUIET = {"DEBIAN_FRONTEND": "noninteractive", "NEEDRESTART_MODE": "l"}


def missing(names: list[str], there: dict[str, dict[str, str]], headers: set[str]) -> list[str]:
    """Return what is not installed yet; headers and modules of kernels are looked up apart."""
    found = []
    for name in names:
        base = _BASE.sub("", name)
        entry = there.get(base)
        if base in headers or (entry is not None and entry["state"] == "installed"):
            continue
        found.append(name)
    return found


def changes(before: dict[str, dict[str, str]], after: dict[str, dict[str, str]]) -> dict[str, list[str]]:
    """Return what a transaction did: packages that are new, gone, or of another version."""
    return {
        "new": sorted(set(after) - set(before)),
        "gone": sorted(set(before) - set(after)),
        "other": sorted(
            name for name in set(before) & set(after) if before[name]["version"] != after[name]["version"]
        ),
    }


def build_log(output: str, root: Path = Path("/var/lib/dkms")) -> list[str]:
    """Return the telling lines of a failed DKMS build, of the log that apt named, else of the newest."""
    named = [Path(path) for path in _MAKE_LOG.findall(output)]
    logs = [path for path in named if path.is_file()]
    if not logs:
        logs = sorted(root.glob("*/*/**/make.log"), key=lambda path: path.stat().st_mtime)[-1:]
    lines: list[str] = []
    for path in logs[:1]:
        lines = nvidia_build.telling_lines(path.read_text(encoding="utf-8", errors="replace"))
    return lines


class Transaction:
    """One replacement of a driver, with the way back."""

    def __init__(self, apt: Apt) -> None:
        """Take apt, and note what is there now."""
        self.apt = apt
        self.store = apt.root / "var/lib/rackwright/nvidia/previous"
        self.before = nvidia.ask_packages()

    def keep_old(self) -> None:
        """Fetch the packages that are there now: the archive may not have them any more later."""
        shutil.rmtree(self.store, ignore_errors=True)
        names = [
            f"{name}={entry['version']}"
            for name, entry in self.before.items()
            if entry["state"] == "installed"
        ]
        if names:
            self.store.mkdir(parents=True)
            fetch = 'cd "$1" && shift && for name; do apt-get download -q -- "$name"; done'
            command.run(["sh", "-c", fetch, "sh", str(self.store), *names])

    def unhold(self) -> None:
        """Let apt replace what an earlier run held."""
        held = sorted(name for name, entry in self.before.items() if entry["want"] == "hold")
        if held:
            command.run(["apt-mark", "unhold", *held])

    def install(self, names: list[str]) -> command.Outcome:
        """Install everything in one transaction."""
        with self.apt.starts_held_back():
            outcome = self.apt.install(names)
        self.apt.tell_systemd(replaced=True)
        return outcome

    def roll_back(self) -> dict[str, Any]:
        """Bring back what was there before, and say whether the package database is whole again."""
        now = nvidia.ask_packages()
        done = changes(self.before, now)
        steps = []
        if done["new"]:
            # Half-configured packages are removed first: they would make every further call fail.
            removed = command.run([*_APT, "remove", "--", *done["new"]], _QUIET)
            if removed.rc != 0:
                removed = command.run(["dpkg", "--remove", "--force-depends", "--", *done["new"]], _QUIET)
            steps.append({"step": "remove", "packages": done["new"], "ok": removed.rc == 0})
        back = [f"{name}={self.before[name]['version']}" for name in (*done["gone"], *done["other"])]
        if back:
            kept = sorted(str(path) for path in self.store.glob("*.deb"))
            with self.apt.starts_held_back():
                restored = command.run([*_APT, "install", "--allow-downgrades", "--", *back], _QUIET)
                if restored.rc != 0 and kept:
                    restored = command.run([*_APT, "install", "--allow-downgrades", "--", *kept], _QUIET)
            steps.append({"step": "restore", "packages": back, "ok": restored.rc == 0})
        self.apt.mend()
        return {"steps": steps, "database": self.whole(), "left": changes(self.before, nvidia.ask_packages())}

    def whole(self) -> bool:
        """Whether dpkg finds nothing half-done."""
        audit = command.run(["dpkg", "--audit"])
        return audit.rc == 0 and not audit.stdout.strip()

    def hold(self) -> list[str]:
        """Keep the driver's packages at their version; returns those that were not held before."""
        there = nvidia.ask_packages()
        free = sorted(
            name for name, entry in there.items() if entry["want"] != "hold" and entry["state"] == "installed"
        )
        if free:
            command.run(["apt-mark", "hold", *free])
        return free
