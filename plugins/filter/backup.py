"""Files of the program that backups run on hosts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleFilterError

import rackwright.backup.agent
from rackwright.backup.every import crons, timed
from rackwright.errors import RackwrightError

HOME = "/usr/local/lib/rackwright/python"
# The programs, and the function of the package that each is.
PROGRAMS = {
    "rackwright-store": "from rackwright.backup.agent.store_main import main; main()",
    "rackwright-backup": "from rackwright.backup.agent.repository_main import become, main; become(); main()",
    "rackwright-unpack": "from rackwright.backup.agent.proof import unpack; unpack()",
}


def backup_agent(_: object, programs: Sequence[str]) -> list[dict[str, Any]]:
    """Return items of `managed_files` that lay the package and some of its programs down."""
    source = Path(rackwright.backup.agent.__file__).parent
    package = f"{HOME}/rackwright/backup/agent"
    items: list[dict[str, Any]] = [
        {"dest": place, "state": "directory"}
        for place in (
            "/usr/local/lib/rackwright",
            HOME,
            f"{HOME}/rackwright",
            f"{HOME}/rackwright/backup",
            package,
        )
    ]
    items += [
        {"dest": f"{HOME}/{place}/__init__.py", "content": ""}
        for place in ("rackwright", "rackwright/backup")
    ]
    items += [{"dest": f"{package}/{path.name}", "src": str(path)} for path in sorted(source.glob("*.py"))]
    items += [
        {
            "dest": f"/usr/local/sbin/{name}",
            "mode": "0755",
            "content": "#!/bin/sh\n"
            f"exec /usr/bin/python3 -IB -c \"import sys; sys.path.insert(0, '{HOME}');"
            f' {PROGRAMS[name]}" "$@"\n',
        }
        for name in programs
    ]
    return items


def kept_every(kept: Sequence[Mapping[str, Any]], every: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return stores with `every_minutes` where the site says how often."""
    try:
        return timed(kept, every)
    except RackwrightError as error:
        raise AnsibleFilterError(str(error)) from error


def wal_queue_mb(parameters: Mapping[str, Any]) -> int:
    """Return how much log may wait for the backup host, in MB.

    What a slot of an absent standby may hold of the disk; where the disk is not known, four times what the
    log takes between two checkpoints.
    """
    sizes = {name: _megabytes(str(parameters[name])) for name in _LIMITS if name in parameters}
    if "max_slot_wal_keep_size" in sizes:
        return sizes["max_slot_wal_keep_size"]
    return sizes.get("max_wal_size", 1024) * 4


_LIMITS = ("max_slot_wal_keep_size", "max_wal_size")
_UNITS = {"MB": 1, "GB": 1024, "TB": 1024 * 1024}


def _megabytes(text: str) -> int:
    return int(text[:-2]) * _UNITS[text[-2:]]


class FilterModule:
    """Ansible's entry point."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {
            "backup_agent": backup_agent,
            "backup_crons": crons,
            "kept_every": kept_every,
            "wal_queue_mb": wal_queue_mb,
        }
