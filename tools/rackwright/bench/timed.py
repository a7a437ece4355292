"""Runs ansible-playbook as an operator does, and takes the time."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from rackwright.errors import RackwrightError
from rackwright.site.paths import repository_root

_RECAP = re.compile(r"^(\S+)\s+:\s+ok=\d+\s+changed=(\d+)", re.MULTILINE)


def time_playbook(playbook: str, inventories: Sequence[Path], *, unchanged: bool) -> float:
    """Run a playbook with connections of its own and return its seconds.

    Connections that an earlier run left open are not used: the script beside it opens its own, too.

    Args:
        playbook: Path below the repository's root.
        inventories: Inventory sources.
        unchanged: Whether a run that changes something is no use.

    Raises:
        RackwrightError: It failed, or changed something that was to stay.
    """
    root = repository_root()
    program = Path(sys.executable).with_name("ansible-playbook")
    sources = [part for source in inventories for part in ("-i", str(source))]
    # Short: the path of a socket has a limit of 107 bytes.
    with tempfile.TemporaryDirectory(prefix="rw-", dir="/tmp") as sockets:
        environment = {
            **os.environ,
            "ANSIBLE_CONFIG": str(root / "ansible.cfg"),
            "ANSIBLE_SSH_CONTROL_PATH_DIR": sockets,
            "ANSIBLE_NOCOLOR": "1",
        }
        started = time.monotonic()
        done = subprocess.run(
            [str(program), str(root / playbook), *sources],
            cwd=root,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        seconds = time.monotonic() - started
        _close_connections(Path(sockets))
    if done.returncode != 0:
        said = "\n".join((done.stdout + done.stderr).strip().splitlines()[-30:])
        raise RackwrightError(f"{playbook} failed with {done.returncode}\n{said}")
    changed = changed_hosts(done.stdout)
    if unchanged and changed:
        raise RackwrightError(
            f"{playbook} changed {', '.join(f'{host} ({count})' for host, count in changed.items())}",
            hint="the lab must be converged and left alone while it is measured",
        )
    return seconds


def changed_hosts(output: str) -> dict[str, int]:
    """Read from the end of a run how many tasks changed something, for each host where any did."""
    return {host: int(count) for host, count in _RECAP.findall(output) if int(count)}


def _close_connections(directory: Path) -> None:
    """End the masters that ansible-playbook leaves behind for two minutes."""
    for socket in directory.iterdir():
        if socket.is_socket():
            command = ["ssh", "-O", "exit", "-o", f"ControlPath={socket}", "bench"]
            subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL, check=False)
