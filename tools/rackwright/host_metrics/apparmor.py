"""AppArmor: whether services run under their profiles, and what profiles denied.

Denials are in the recorder's log where auditd runs, else in the kernel's journal. Each is counted; the first
of each look are written to this program's own log, which is shipped with all others.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rackwright.host_metrics.commands import UnavailableError, run
from rackwright.host_metrics.exposition import Family

ENABLED = Path("/sys/module/apparmor/parameters/enabled")
POLICY = Path("/sys/kernel/security/apparmor")
RECORDER = Path("/var/log/audit/audit.log")
PROCESSES = Path("/proc")
# Of what has grown since the last look, and of what is written down of that.
MOST_BYTES, MOST_LINES = 4 << 20, 20
_EVENT = re.compile(r'apparmor="(DENIED|ALLOWED)"')
_FIELD = re.compile(r'(\w+)=(?:"([^"]*)"|(\S+))')
_TOLD = ("operation", "profile", "name", "comm", "requested_mask", "denied_mask", "capname", "family", "peer")


def possible() -> bool:
    """Tell whether this host's kernel has AppArmor and lets it load profiles."""
    try:
        return ENABLED.read_text(encoding="ascii").strip() == "Y" and (POLICY / ".load").exists()
    except OSError:
        return False


class AppArmor:
    """Both, with the place in the log up to which denials are counted."""

    def __init__(self, confined: Iterable[Mapping[str, Any]]) -> None:
        self.wanted = [(unit, entry) for entry in confined for unit in entry["units"]]
        self._denied = Family(
            "rackwright_apparmor_denials_total",
            "What profiles denied, or only noted (verdict allowed, mode complain).",
            "counter",
        )
        for _, entry in self.wanted:
            self._denied.set(0.0, profile=str(entry["profile"]), verdict="denied")
        self._inode, self._offset = _end()
        self._cursor = "" if RECORDER.exists() else _last_cursor()

    def read(self) -> list[Family]:
        """Return whether each unit that runs is confined as it should be, and what was denied since.

        Raises:
            UnavailableError: systemd or the journal does not answer.
        """
        told = 0
        for line in self._recorded() if RECORDER.exists() else self._in_the_journal():
            if match := _EVENT.search(line):
                fields = {name: quoted or plain for name, quoted, plain in _FIELD.findall(line)}
                key = (("profile", fields.get("profile", "")), ("verdict", match[1].lower()))
                self._denied.samples[key] = self._denied.samples.get(key, 0.0) + 1
                if told < MOST_LINES:
                    told += 1
                    words = " ".join(f"{name}={fields[name]}" for name in _TOLD if name in fields)
                    sys.stderr.write(f"apparmor {match[1].lower()}: {words}\n")
        return [self._confined(), self._denied]

    def _confined(self) -> Family:
        family = Family(
            "rackwright_apparmor_confined", "Whether a unit that runs does so under its profile, in its mode."
        )
        pids = _main_pids([unit for unit, _ in self.wanted])
        for (unit, entry), pid in zip(self.wanted, pids, strict=False):
            if pid != "0":
                good = _label(pid) == f"{entry['profile']} ({entry['mode']})"
                family.set(float(good), service=str(entry["service"]), name=unit)
        return family

    def _recorded(self) -> Iterator[str]:
        with RECORDER.open("rb") as file:
            status = os.fstat(file.fileno())
            if status.st_ino != self._inode or status.st_size < self._offset:
                self._inode, self._offset = status.st_ino, 0
            file.seek(self._offset)
            whole, newline, _ = file.read(MOST_BYTES).rpartition(b"\n")
        self._offset += len(whole) + len(newline)
        yield from whole.decode(errors="replace").splitlines()

    def _in_the_journal(self) -> Iterator[str]:
        after = [f"--after-cursor={self._cursor}"] if self._cursor else []
        text = run([*_JOURNAL, "--show-cursor", "--lines=5000", *after])
        for line in text.splitlines():
            if line.startswith(_CURSOR):
                self._cursor = line.removeprefix(_CURSOR)
            else:
                yield line


_JOURNAL = ("journalctl", "--quiet", "--dmesg", "--output=cat", "--no-pager")
_CURSOR = "-- cursor: "


def _end() -> tuple[int, int]:
    """Return where to begin: what is in the log already was denied before this program watched."""
    try:
        status = RECORDER.stat()
    except OSError:
        return 0, 0
    return status.st_ino, status.st_size


def _last_cursor() -> str:
    try:
        lines = run([*_JOURNAL, "--show-cursor", "--lines=1"]).splitlines()
    except UnavailableError:
        return ""
    return next((line.removeprefix(_CURSOR) for line in lines if line.startswith(_CURSOR)), "")


def _main_pids(units: Sequence[str]) -> list[str]:
    text = run(["systemctl", "show", "--property=MainPID", "--", *units], good=(0, 1)) if units else ""
    return re.findall(r"^MainPID=(\d+)$", text, re.MULTILINE)


def _label(pid: str) -> str:
    try:
        return (PROCESSES / pid / "attr/current").read_text(encoding="utf-8").strip().rstrip("\0")
    except OSError:
        return ""
