"""Running programs on the target."""

from __future__ import annotations

import os
import subprocess
from typing import NamedTuple

# English messages that can be recognised, but UTF-8, so that what a package's scripts create (a database
# cluster, say) does not come out in ASCII.
_ENVIRONMENT = {"LC_ALL": "C.UTF-8", "LANGUAGE": "C"}
_SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class Outcome(NamedTuple):
    """What a program answered."""

    argv: tuple[str, ...]
    rc: int
    stdout: str
    stderr: str

    @property
    def output(self) -> str:
        """Both streams, the errors last."""
        return "\n".join(part.strip() for part in (self.stdout, self.stderr) if part.strip())


def system_path() -> str:
    """The search path for programs: the caller's, and the administrator's directories in any case."""
    path = os.environ.get("PATH", "")
    missing = [entry for entry in _SYSTEM_PATH.split(":") if entry not in path.split(":")]
    return ":".join([part for part in [path] if part] + missing)


def run(argv: list[str], environment: dict[str, str] | None = None, timeout: float | None = None) -> Outcome:
    """Run a program without a shell and without input.

    Args:
        argv: The program and its arguments.
        environment: Variables to set besides the usual ones.
        timeout: Seconds after which the program is killed; its exit status is then 124.

    Returns:
        The outcome; a program that does not exist gives exit status 127 rather than an error.
    """
    env = {**os.environ, **_ENVIRONMENT, "PATH": system_path(), **(environment or {})}
    try:
        done = subprocess.run(
            argv,
            env=env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=timeout,
            encoding="utf-8",
            errors="replace",
        )
    except FileNotFoundError:
        return Outcome(tuple(argv), 127, "", f"{argv[0]}: no such program")
    except subprocess.TimeoutExpired:
        return Outcome(tuple(argv), 124, "", f"{argv[0]}: no answer after {timeout:g} s")
    return Outcome(tuple(argv), done.returncode, done.stdout, done.stderr)
