"""Docker's daemon: used when it runs, started when it does not."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

from rackwright.errors import RackwrightError
from rackwright.lab.cache import DAEMON_RECORD, exclusive
from rackwright.lab.docker import docker
from rackwright.lab.images import missing_programs
from rackwright.site.paths import cache_directory

START_SECONDS = 60
# Outlives this process on purpose; the reference keeps Python from warning of it.
_started: list[subprocess.Popen[bytes]] = []


def require_programs() -> None:
    """Refuse to go on without the programs that the lab needs.

    Raises:
        RackwrightError: Some are missing; the hint is the command that installs them.
    """
    missing = missing_programs()
    if missing:
        raise RackwrightError(
            f"missing on this machine: {', '.join(missing)}",
            hint=f"sudo apt-get install --no-install-recommends {' '.join(missing)}",
        )


def ensure_daemon() -> bool:
    """See to it that Docker answers; returns whether its daemon had to be started.

    The daemon is started in the background; its log and its process number are in the cache's directory.

    Raises:
        RackwrightError: The daemon does not let this user in, or does not come up.
    """
    with exclusive("dockerd"):
        refused = _refusal()
        if refused is None:
            return False
        if "permission denied" in refused.lower():
            raise RackwrightError(
                f"Docker's daemon does not let this user in: {refused}",
                hint="run as root, or join the group: sudo usermod -aG docker $USER, then log in again",
            )
        _start(refused)
    return True


def stop_daemon() -> bool:
    """Stop the daemon that `ensure_daemon` started; returns whether there was one."""
    recorded = _pid_file()
    if not recorded.is_file():
        return False
    pid = int(recorded.read_text(encoding="ascii"))
    recorded.unlink()
    # The number may have been given to another process since.
    try:
        program = Path(f"/proc/{pid}/comm").read_text(encoding="utf-8").strip()
    except OSError:
        return False
    if program != "dockerd":
        return False
    os.kill(pid, signal.SIGTERM)
    end = time.monotonic() + START_SECONDS
    while _lives(pid) and time.monotonic() < end:
        time.sleep(0.2)
    return True


def _start(refused: str) -> None:
    program = shutil.which("dockerd")
    if program is None or os.geteuid() != 0:
        raise RackwrightError(
            f"Docker's daemon does not answer: {refused}",
            hint="sudo systemctl start docker, or run this as root",
        )
    log = cache_directory("log") / "dockerd.log"
    with log.open("ab") as output:
        process = subprocess.Popen(
            [program], stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )
    _started.append(process)
    _pid_file().write_text(str(process.pid), encoding="ascii")
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and process.poll() is None:
        if _refusal() is None:
            return
        time.sleep(0.3)
    tail = "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-10:])
    raise RackwrightError(f"Docker's daemon did not come up in {START_SECONDS} s (log: {log})\n{tail}")


def _refusal() -> str | None:
    """Return why Docker does not answer; None when it does."""
    asked = docker("version", "--format", "{{.Server.Version}}", check=False, timeout=30)
    return None if asked.returncode == 0 else (asked.stderr or asked.stdout).strip()


def _lives(pid: int) -> bool:
    """Tell whether a process runs; one that has ended and only waits for its parent does not."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except OSError:
        return False
    return status.rpartition(")")[2].split()[0] != "Z"


def _pid_file() -> Path:
    return cache_directory() / DAEMON_RECORD
