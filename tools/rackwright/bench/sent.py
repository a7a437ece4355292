"""A program of ours that is sent to a host of a lab, given its work as JSON, and asked what it saw."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path

from rackwright.bench.remote import Remote
from rackwright.errors import RackwrightError
from rackwright.lab.model import Lab, LabHost
from rackwright.secrets.token import access_token
from rackwright.site.inventory import load_inventory


def lab_host(lab: Lab, name: str) -> LabHost:
    """Return a machine of the lab by its name."""
    return next(machine for machine in lab.hosts if machine.name == name)


def run_program(remote: Remote, program: Path, python: str, work: Mapping[str, object]) -> str:
    """Run a program on a host as root and return what it printed; it is gone afterwards.

    Args:
        remote: The host.
        program: Its file, which needs nothing of this package.
        python: The host's interpreter.
        work: What it reads on standard input; secrets in it are nowhere else.

    Raises:
        RackwrightError: It failed.
    """
    text = program.read_text(encoding="utf-8")
    script = (
        "set -eu\nplace=$(mktemp -d /run/bench.XXXXXX)\ntrap 'rm -rf \"$place\"' EXIT\n"
        f"cat > \"$place/program.py\" <<'END-OF-PROGRAM'\n{text}\nEND-OF-PROGRAM\n"
        f'{python} "$place/program.py"; exit\n'
    )
    return remote.run(script, json.dumps(work).encode()).text


def users(inventories: Sequence[Path], host: str, number: int) -> list[str]:
    """Return access tokens of users that nobody else is.

    Raises:
        RackwrightError: The site has no secrets yet.
    """
    secret = load_inventory(inventories).hosts[host].variables.get("vault_jwt_secret")
    if not secret:
        raise RackwrightError(
            "the site has no vault_jwt_secret", hint="rackwright secrets init -i <inventory>"
        )
    run = uuid.uuid4().hex[:8]
    return [
        access_token(str(secret), user=f"bench-{run}-{each}", role="user", hours=1) for each in range(number)
    ]
