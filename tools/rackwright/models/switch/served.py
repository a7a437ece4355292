"""What a site says that its hosts serve, asked by another process: Ansible keeps what it has read once."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from rackwright.models.store.files import StoreError
from rackwright.models.switch.ways import WAYS
from rackwright.models.switch.ways import served as served_entry

_SECONDS = 120


def served(sources: Sequence[Path], variable: str, hosts: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    """Return host -> name of its model, and where the inventory defines the variable.

    Raises:
        StoreError: The inventory cannot be read.
    """
    command = [
        sys.executable,
        "-m",
        "rackwright.models.switch.served",
        variable,
        ",".join(hosts),
        *map(str, sources),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_SECONDS)
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or ["no reason was given"]
        raise StoreError(f"the inventory cannot be read: {lines[-1]}")
    told = json.loads(done.stdout)
    return dict(told["names"]), list(told["origins"])


def _main(variable: str, hosts: str, *sources: str) -> None:
    from rackwright.site.inventory import load_inventory  # noqa: PLC0415 - sets Ansible up before its import

    inventory = load_inventory([Path(source) for source in sources])
    way = next(way for way in WAYS.values() if way.variable == variable)
    names = {
        host: str(served_entry(way, inventory.hosts[host].variables[variable])["name"])
        for host in hosts.split(",")
    }
    origins = [each.origin for each in inventory.definitions if each.name == variable and each.origin]
    json.dump({"names": names, "origins": origins}, sys.stdout)


if __name__ == "__main__":
    _main(*sys.argv[1:])
