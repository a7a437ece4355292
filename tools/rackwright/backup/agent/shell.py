"""Programs run for backups: no shell, no secret in argv, errors in an operator's words."""

from __future__ import annotations

import os
import subprocess
import syslog
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

CHUNK = 1 << 20


class Failed(Exception):  # noqa: N818 - reads as what happened
    """Something that could not be done; `hint` says what to do about it."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


@contextmanager
def in_words(program: str) -> Iterator[None]:
    """Have whatever goes wrong told in one line; where in the program it happened goes to the journal.

    Raises:
        Failed: What the block raised.
    """
    try:
        yield
    except Failed:
        raise
    except Exception as error:
        syslog.openlog(program)
        for line in traceback.format_exception(error):
            for part in line.splitlines():
                syslog.syslog(syslog.LOG_ERR, part)
        if isinstance(error, OSError) and error.strerror:
            told = f"{error.filename or 'the system'}: {error.strerror}"
        else:
            told = f"{type(error).__name__}: {error}"
        raise Failed(told, f"journalctl -t {program} on this host says where it happened") from error


def run(
    command: Sequence[str],
    *,
    data: str | None = None,
    environment: Mapping[str, str] | None = None,
    check: bool = True,
    timeout: float | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run a program and return what it said.

    Raises:
        Failed: It is missing, took longer than `timeout` seconds, or ended badly and `check` is set.
    """
    try:
        done = subprocess.run(
            list(command),
            input=data,
            stdin=None if data is not None else subprocess.DEVNULL,
            env={**os.environ, **(environment or {})},
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            timeout=timeout,
        )
    except FileNotFoundError as error:
        raise Failed(f"{command[0]} is not installed") from error
    except subprocess.TimeoutExpired as error:
        raise Failed(f"{command[0]} did not end within {timeout:.0f} s") from error
    if check and done.returncode:
        raise Failed(f"{command[0]} ended with {done.returncode}: {last_words(done.stderr or done.stdout)}")
    return done


def as_user(user: str, command: Sequence[str]) -> list[str]:
    """Return the command that root gives to run another as a user."""
    return ["runuser", "-u", user, "--", *command]


def last_words(text: str, lines: int = 4) -> str:
    """Return the last lines that are not empty, as one."""
    return " | ".join([line.strip() for line in text.splitlines() if line.strip()][-lines:])


def write(path: Path, text: str, mode: int = 0o644) -> None:
    """Replace a file in one step."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    beside.write_text(text, encoding="utf-8")
    beside.chmod(mode)
    beside.replace(path)
