"""The firewall's counters, whether a reboot is due, and the audit trail."""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from rackwright.host_metrics.commands import PATH, UnavailableError, run
from rackwright.host_metrics.exposition import Family

REBOOT_REQUIRED = Path("/run/reboot-required")
KERNELS = Path("/lib/modules")
_BROKEN, _WHOLE = 1, 0


def firewall() -> list[Family]:
    """Return how many packets the firewall has refused, by its counters' names.

    Raises:
        UnavailableError: The table is not loaded.
    """
    answer = json.loads(run(["nft", "-j", "list", "counters", "table", "inet", "rackwright"]))
    denied = Family("rackwright_firewall_packets_total", "Packets that the firewall refused.", "counter")
    for entry in answer["nftables"]:
        if counter := entry.get("counter"):
            denied.set(float(counter["packets"]), counter=counter["name"])
    return [denied]


def reboot() -> list[Family]:
    """Return whether a package asked for a reboot, or a newer kernel is installed than the one that runs."""
    running = os.uname().release
    flavour = running.rpartition("-")[2]
    installed = [path.name for path in KERNELS.glob(f"*-{flavour}")] if KERNELS.is_dir() else []
    # A machine whose kernel is not a package's own (a container) has nothing to compare.
    newest = max(installed, key=_version) if running in installed else running
    needed = REBOOT_REQUIRED.exists() or newest != running
    family = Family("rackwright_reboot_required", "Whether the host must be started anew.")
    family.set(float(needed))
    return [family]


def audit(command: Sequence[str]) -> list[Family]:
    """Return whether the audit trail is whole.

    Raises:
        UnavailableError: It could not be looked at.
    """
    started = time.monotonic()
    try:
        done = subprocess.run(list(command), capture_output=True, timeout=600, check=False, env=PATH, cwd="/")
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UnavailableError(f"{command[0]}: {error}") from error
    # A program that died ends with 1 as well; only one that has counted has looked.
    counted = done.stdout.rstrip().endswith(b"problems")
    if done.returncode not in (_WHOLE, _BROKEN) or not counted:
        raise UnavailableError(
            f"{command[0]}: {done.returncode}: {done.stderr[-200:].decode(errors='replace')}"
        )
    whole = Family("rackwright_audit_chain_ok", "Whether no audit line was removed or changed.")
    whole.set(float(done.returncode == _WHOLE))
    took = Family("rackwright_audit_verify_seconds", "How long looking at the audit trail took.")
    took.set(time.monotonic() - started)
    return [whole, took]


def _version(name: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", name)]
