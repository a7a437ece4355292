"""Who a host is to others: keys that are made on it and never leave it, and where its cluster is."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

from rackwright.backup.agent.shell import run

KEY = Path("/etc/rackwright/backup/id_ed25519")
HOST_KEY = Path("/etc/ssh/ssh_host_ed25519_key.pub")


def identity(owner: str | None) -> dict[str, Any]:
    """Return this host's public keys and clusters; make its own key where there is none.

    Args:
        owner: The user that the key belongs to; None makes no key.
    """
    made = False
    if owner is not None and not KEY.exists():
        beside = KEY.with_suffix(".new")
        beside.unlink(missing_ok=True)
        run(
            [
                "ssh-keygen",
                "-q",
                "-t",
                "ed25519",
                "-N",
                "",
                "-C",
                f"backup@{os.uname().nodename}",
                "-f",
                str(beside),
            ]
        )
        shutil.chown(beside, owner, owner)
        Path(f"{beside}.pub").replace(f"{KEY}.pub")
        beside.replace(KEY)
        made = True
    return {
        "changed": made,
        "public_key": Path(f"{KEY}.pub").read_text(encoding="utf-8").strip() if KEY.exists() else "",
        "host_key": " ".join(HOST_KEY.read_text(encoding="utf-8").split()[:2]),
        "cluster": cluster(),
        "pgbackrest": pgbackrest(),
    }


def pgbackrest() -> str:
    """Return the version of pgBackRest, which both ends must have alike; empty where there is none."""
    if shutil.which("pgbackrest") is None:
        return ""
    return run(["pgbackrest", "version"]).stdout.split()[-1]


def cluster() -> dict[str, str]:
    """Return version and directory of the cluster `main`; empty where there is none."""
    if shutil.which("pg_lsclusters") is None:
        return {}
    for line in run(["pg_lsclusters", "-h"], check=False).stdout.splitlines():
        words = line.split()
        if words[1:2] == ["main"]:
            return {"version": words[0], "port": words[2], "data_directory": words[5]}
    return {}
