"""Asking systemd and telling it."""

from __future__ import annotations

import socket
import time
from pathlib import Path

from ansible.module_utils.rackwright import command
from ansible.module_utils.rackwright.unit_plan import PROPERTIES, Unit, UnitError, parse_show

_JOURNAL_LINES = 15
# What has systemd read its unit files again once the work that they belong to is through.
_LATER = "rackwright-unit-files"
_LATER_SECONDS = 60


def show(names: list[str]) -> list[Unit]:
    """Ask for the state of several units at once.

    Raises:
        UnitError: systemd does not answer, or a name is not one.
    """
    properties = [part for name in PROPERTIES for part in ("-p", name)]
    outcome = command.run(["systemctl", "show", "--timestamp=us+utc", *properties, "--", *names])
    if outcome.rc != 0:
        raise UnitError(f"systemd does not answer: {outcome.output}")
    units: list[Unit] = parse_show(names, outcome.stdout)
    return units


def tell(verb: str, name: str, *, block: bool = True) -> command.Outcome:
    """Let systemctl do one thing.

    Args:
        verb: What.
        name: Of the unit.
        block: Whether to wait for it.
    """
    return command.run(["systemctl", "--quiet", *([] if block else ["--no-block"]), verb, "--", name])


def tell_files(verb: str, name: str) -> command.Outcome:
    """Enable, disable or unmask a unit; systemd learns of it when it reads its unit files again.

    Without the setting each call has it do so at once, and again for each script of System V beside the unit.
    """
    return command.run(["systemctl", "--quiet", verb, "--", name], {"SYSTEMD_OFFLINE": "1"})


def is_behind() -> bool:
    """Whether links to unit files have changed of which systemd has not learned yet."""
    return Path(f"/run/systemd/transient/{_LATER}.service").exists()


def daemon_reload_later() -> None:
    """Have systemd read its unit files again when nobody has asked for it for a minute.

    A start need not wait for it: a unit that systemd does not know yet is read when it is asked for. What it
    learns by it is which units are wanted by others since, and what its generators make of new files.

    Raises:
        UnitError: It cannot be put off, and is refused now.
    """
    if not Path("/run/systemd/system").is_dir():
        return
    if Path(f"/run/systemd/transient/{_LATER}.timer").exists():
        put_off = command.run(["systemctl", "restart", "--", f"{_LATER}.timer"])
    else:
        timing = [f"--on-active={_LATER_SECONDS}", "--timer-property=AccuracySec=1s", "--collect"]
        about = "--description=Reads the unit files again that were written lately"
        put_off = command.run(
            ["systemd-run", "--quiet", f"--unit={_LATER}", about, *timing, "systemctl", "daemon-reload"]
        )
    if put_off.rc != 0:
        daemon_reload()


def daemon_reload() -> None:
    """Let systemd read its unit files again.

    Raises:
        UnitError: It refuses.
    """
    outcome = command.run(["systemctl", "daemon-reload"])
    if outcome.rc != 0:
        raise UnitError(f"systemctl daemon-reload failed: {outcome.output}")


def last_words(unit: Unit) -> str:
    """The last journal lines of the unit's last run."""
    match = ["-u", unit.identity]
    if unit.get("InvocationID"):
        match = [
            f"_SYSTEMD_INVOCATION_ID={unit.get('InvocationID')}",
            "+",
            f"INVOCATION_ID={unit.get('InvocationID')}",
        ]
    argv = [
        "journalctl",
        "--no-pager",
        "--quiet",
        "--output=cat",
        "--boot",
        f"--lines={_JOURNAL_LINES}",
        *match,
    ]
    lines = command.run(argv, timeout=20).stdout.strip()
    return lines or "(its journal is empty)"


def wait_for(address: str, port: int, seconds: float) -> bool:
    """Wait till something accepts connections.

    Args:
        address: Where to connect.
        port: TCP port.
        seconds: How long to try.

    Returns:
        Whether a connection was made.
    """
    deadline = time.monotonic() + seconds
    while True:
        try:
            with socket.create_connection((address, port), timeout=max(0.1, min(2.0, seconds))):
                return True
        except OSError:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.1)
