"""Docker's command line, as far as the lab needs it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from typing import Any

from rackwright.errors import RackwrightError


def docker(
    *arguments: str, data: bytes | None = None, check: bool = True, timeout: float = 600
) -> subprocess.CompletedProcess[str]:
    """Run `docker …` and return what it printed.

    Args:
        arguments: Docker's arguments.
        data: What the command gets on its standard input.
        check: Whether a failure is an error.
        timeout: Seconds after which the command is given up.

    Raises:
        RackwrightError: The command failed and `check` is set, or took too long, or Docker is not installed.
    """
    try:
        done = subprocess.run(
            ["docker", *arguments], input=data, capture_output=True, check=False, timeout=timeout
        )
    except FileNotFoundError as error:
        raise RackwrightError(
            "Docker's command line is not on this machine",
            hint="sudo apt-get install --no-install-recommends docker.io",
        ) from error
    except subprocess.TimeoutExpired as error:
        raise RackwrightError(f"docker {' '.join(arguments)}: no end after {timeout:.0f} s") from error
    result = subprocess.CompletedProcess(
        done.args, done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")
    )
    if check and result.returncode != 0:
        raise RackwrightError(f"docker {' '.join(arguments)}: {(result.stderr or result.stdout).strip()}")
    return result


def server_major() -> int:
    """Return the major version of Docker's daemon."""
    version = docker("version", "--format", "{{.Server.Version}}").stdout
    return int(version.strip().split(".", 1)[0])


def names(kind: str, label: str, *, stopped: bool = True) -> list[str]:
    """Return the names of all containers, networks or volumes with a label.

    Args:
        kind: `container`, `network` or `volume`.
        label: `key` or `key=value`.
        stopped: Whether containers that do not run count.
    """
    form = "{{.Names}}" if kind == "container" else "{{.Name}}"
    every = ["--all"] if kind == "container" and stopped else []
    listed = docker(kind, "ls", *every, "--filter", f"label={label}", "--format", form)
    return sorted(listed.stdout.split())


def inspect(kind: str, *objects: str) -> list[dict[str, Any]]:
    """Return what Docker knows of some objects; those that do not exist are left out."""
    if not objects:
        return []
    found = docker(kind, "inspect", *objects, check=False)
    shown: list[dict[str, Any]] = json.loads(found.stdout or "[]")
    return shown


def exists(kind: str, name: str) -> bool:
    """Tell whether an image, container, network or volume exists."""
    return docker(kind, "inspect", name, check=False).returncode == 0


def execute(container: str, command: Sequence[str], *, data: bytes | None = None, check: bool = True) -> str:
    """Run a command as root in a container and return its standard output."""
    interactive = ["--interactive"] if data is not None else []
    return docker("exec", *interactive, container, *command, data=data, check=check).stdout
