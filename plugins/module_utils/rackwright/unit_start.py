"""Starting units: each no longer waited for than it takes to serve, all seen to stay up in the end."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from ansible.module_utils.rackwright import command, systemd
from ansible.module_utils.rackwright.unit_plan import Unit, UnitError

# How long services that fail right after their start need to show it.
_SETTLE_SECONDS = 0.25
_POLL_SECONDS = 0.1
# Up, by systemd's word, before anything has shown that they work; others say themselves that they are ready.
_UNSAID = ("simple", "exec", "idle", "forking")
_COMING = ("activating", "reloading", "refreshing")


@dataclass(frozen=True)
class Port:
    """Where a unit serves: something accepts connections there within so many seconds."""

    address: str
    port: int
    seconds: float

    @classmethod
    def of(cls, wait: dict[str, Any] | None) -> Port | None:
        """Read the option `wait` of a unit."""
        return cls(wait["address"], wait["port"], wait["seconds"]) if wait else None

    def answers(self) -> bool:
        """Whether something accepts connections there now."""
        return bool(systemd.wait_for(self.address, self.port, 0.0))

    @property
    def name(self) -> str:
        """Address and port."""
        return f"{self.address}:{self.port}"


class Starts:
    """All starts of one list of units."""

    def __init__(self) -> None:
        """Begin with none."""
        self._begun: dict[str, str] = {}
        self._last = 0.0

    def begin(self, name: str, verb: str, unit: Unit, port: Port | None, *, block: bool = True) -> Unit:
        """Start, restart or reload a unit, and return it as it is afterwards.

        Args:
            name: What it was asked for by.
            verb: start, restart or reload.
            unit: The unit as it is.
            port: Where it serves. One that forks is waited for there, not for its starter, which may look
                only now and then: Debian's of PostgreSQL does so twice a second, four times at least.
            block: Whether it is waited for at all.

        Raises:
            UnitError: systemd refuses, or the unit fails, or its port does not answer in time.
        """
        if unit.get("ActiveState") == "failed" and verb != "reload":
            systemd.tell("reset-failed", unit.identity)
        if port and _can_be_watched(verb, unit, port):
            outcome = systemd.tell(verb, unit.identity, block=False)
            after = _watched(name, verb, unit, port) if outcome.rc == 0 else systemd.show([unit.identity])[0]
        else:
            outcome = systemd.tell(verb, unit.identity, block=block)
            after = systemd.show([unit.identity])[0]
        if after.condition_failed:
            return after
        if outcome.rc != 0 or not _up(after, may_come=port is not None or not block):
            raise failure(name, verb, after, outcome)
        # Who serves at its port is up, and so is who says that it is ready.
        if port is None and block and after.get("Type") in _UNSAID:
            self._begun[unit.identity] = name
            self._last = time.monotonic()
        return after

    def settle(self) -> None:
        """See that all that shows it by no port and says it to nobody is up a moment after the last start.

        Raises:
            UnitError: A unit is down again.
        """
        if not self._begun:
            return
        time.sleep(max(0.0, self._last + _SETTLE_SECONDS - time.monotonic()))
        for unit in systemd.show(list(self._begun)):
            if not _up(unit, may_come=False):
                raise failure(self._begun[unit.name], "start", unit)


def failure(name: str, verb: str, unit: Unit, outcome: command.Outcome | None = None) -> UnitError:
    """The error for a unit that did not do what it was told, with the last lines of its journal."""
    said = f": {outcome.output}" if outcome and outcome.output else ""
    return UnitError(
        f"{name}: {verb} failed ({unit.get('ActiveState')}, result {unit.get('Result')}){said}\n"
        f"last lines of its journal:\n{systemd.last_words(unit)}"
    )


def await_port(name: str, port: Port) -> None:
    """Wait till a unit's port answers.

    Raises:
        UnitError: It does not in time.
    """
    if not systemd.wait_for(port.address, port.port, port.seconds):
        raise silent(name, port)


def silent(name: str, port: Port) -> UnitError:
    """The error for a unit whose port does not answer."""
    unit = systemd.show([name])[0]
    return UnitError(
        f"{name}: nothing listens on {port.name} after {port.seconds:g} s "
        f"(the unit is {unit.get('ActiveState')})\nlast lines of its journal:\n{systemd.last_words(unit)}"
    )


def _can_be_watched(verb: str, unit: Unit, port: Port) -> bool:
    """Whether an answer of the port will be that of the new start."""
    if unit.get("ActiveState") in _COMING or unit.get("Type") != "forking":
        return False
    return verb == "restart" or (verb == "start" and not port.answers())


def _watched(name: str, verb: str, before: Unit, port: Port) -> Unit:
    """Wait for the port; its seconds count from when systemd is through with the start."""
    through = 0.0
    while True:
        now = systemd.show([before.identity])[0]
        # Till a restart has a new invocation, it is the old program that answers.
        begun = verb == "start" or now.get("InvocationID") != before.get("InvocationID")
        if begun and (now.get("ActiveState") == "failed" or now.condition_failed or port.answers()):
            return now
        if not now.get("Job"):
            through = through or time.monotonic()
            if time.monotonic() > through + port.seconds:
                raise silent(name, port)
        time.sleep(_POLL_SECONDS)


def _up(unit: Unit, *, may_come: bool) -> bool:
    if unit.running or (unit.runs_once and unit.get("Result") == "success"):
        return True
    # The rest of its start goes on, or waits for that of another unit.
    return may_come and bool(unit.get("Job")) and unit.get("Result") == "success"
