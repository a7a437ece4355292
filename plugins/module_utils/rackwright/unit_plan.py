"""What a systemd unit needs: pure functions over what `systemctl show` says and the times of files."""

from __future__ import annotations

import calendar
import re
import time
from dataclasses import dataclass

from ansible.module_utils.rackwright.freshness import Newest

PROPERTIES = (
    "Id",
    "LoadState",
    "ActiveState",
    "SubState",
    "UnitFileState",
    "Type",
    "RemainAfterExit",
    "Result",
    "ReloadResult",
    "CanReload",
    "NeedDaemonReload",
    "ConditionResult",
    "ConditionTimestamp",
    "ActiveEnterTimestamp",
    "InactiveExitTimestamp",
    "StateChangeTimestamp",
    "InvocationID",
    "Job",
)

# What `packages` foresees in check mode when something would be installed: dpkg's own directory.
PACKAGES = "/var/lib/dpkg/info"

# What each verb of systemctl does, the weightiest first.
DONE = {
    "restart": "restarted",
    "start": "started",
    "reload": "reloaded",
    "stop": "stopped",
    "enable": "enabled",
    "disable": "disabled",
    "mask": "masked",
    "unmask": "unmasked",
}

_LINKED = ("linked", "linked-runtime")
_RUNNING = ("active", "reloading", "refreshing")
_TIMESTAMP = re.compile(r"\w{3} (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)(\.\d+)? UTC")


@dataclass(frozen=True)
class Unit:
    """A unit as systemd sees it now."""

    name: str
    properties: dict[str, str]

    def get(self, key: str) -> str:
        """A property, empty when systemd does not give it."""
        return self.properties.get(key, "")

    def moment(self, key: str) -> float:
        """A time stamp in seconds since the epoch, 0 when it never happened."""
        return parse_time(self.get(key))

    @property
    def identity(self) -> str:
        """The unit's own name; the one it was asked for by may be an alias."""
        return self.get("Id") or self.name

    @property
    def known(self) -> bool:
        """Whether there is such a unit."""
        return self.get("LoadState") not in ("not-found", "")

    @property
    def masked(self) -> bool:
        """Whether it cannot be started because it leads to nothing."""
        return self.get("LoadState") == "masked" or self.get("UnitFileState").startswith("masked")

    @property
    def running(self) -> bool:
        """Whether it is active; a finished oneshot that remains counts."""
        return self.get("ActiveState") in _RUNNING

    @property
    def condition_failed(self) -> bool:
        """Whether it was last passed over because a condition for its start is not met."""
        return (
            bool(self.get("ConditionTimestamp")) and self.get("ConditionResult") == "no" and not self.running
        )

    @property
    def runs_once(self) -> bool:
        """Whether it is inactive again after its work is done."""
        return self.get("Type") == "oneshot" and self.get("RemainAfterExit") != "yes"


# What a wish says of a unit, in order.
WISHED = ("name", "state", "enabled", "masked", "former")


@dataclass(frozen=True)
class Wish:
    """A unit as asked for; None leaves a property as it is. One that is `former` need not be there."""

    name: str
    state: str | None = None
    enabled: bool | None = None
    masked: bool | None = None
    former: bool = False


@dataclass(frozen=True)
class Step:
    """One thing to do: verb of systemctl, and why."""

    verb: str
    reason: str = ""

    @property
    def done(self) -> str:
        """What was done, as results say it."""
        return DONE[self.verb]

    @property
    def activates(self) -> bool:
        """Whether the unit runs with what it is to read once this is done."""
        return self.verb in ("start", "restart", "reload")

    @property
    def links(self) -> bool:
        """Whether only links to unit files change, before anything is started."""
        return self.verb in ("enable", "disable", "unmask")


class UnitError(Exception):
    """A wish that cannot be met; the text says why and what to do."""


def parse_time(text: str) -> float:
    """Read a time stamp in the style us+utc; 0 for an empty one or `n/a`."""
    match = _TIMESTAMP.fullmatch(text.strip())
    if not match:
        return 0.0
    seconds = calendar.timegm(time.strptime(match[1], "%Y-%m-%d %H:%M:%S"))
    return seconds + float(match[2] or 0)


def parse_show(names: list[str], output: str) -> list[Unit]:
    """Split the answer of `systemctl show` for several units, which comes in the order of the question.

    Raises:
        UnitError: The number of answers is another one than that of the names.
    """
    blocks = [block for block in output.strip().split("\n\n") if block.strip()]
    if len(blocks) != len(names):
        raise UnitError(f"systemd answered about {len(blocks)} units, asked about {len(names)}")
    return [
        Unit(name, dict(line.split("=", 1) for line in block.splitlines() if "=" in line))
        for name, block in zip(names, blocks, strict=True)
    ]


def decide(wish: Wish, unit: Unit, restart: Newest, reload: Newest) -> list[Step]:
    """Say what a unit needs.

    Args:
        wish: What is asked for.
        unit: The unit as it is.
        restart: The latest change of what it only reads at its start.
        reload: The latest change of what it reads again when told to.

    Returns:
        Steps in order: unmask, enable or disable, start, restart, reload or stop, mask; none if all is well.

    Raises:
        UnitError: The unit is masked and is to run.
    """
    wants_run = wish.state in ("started", "restarted", "reloaded")
    steps: list[Step] = []
    if unit.masked and wish.masked is False:
        steps.append(Step("unmask"))
    elif unit.masked and (wants_run or wish.enabled):
        raise UnitError(f"{wish.name} is masked; set masked: false to let it run")
    steps += _enablement(wish, unit)
    steps += _activity(wish, unit, restart, reload)
    if wish.masked and not unit.masked:
        steps.append(Step("mask"))
    return steps


def packaged(wish: Wish, steps: list[Step], foreseen: list[str]) -> list[Step]:
    """What check mode says of a unit that a package of the same run would bring: Debian enables those itself.

    Args:
        wish: What is asked for.
        steps: What `decide` says of a unit that is not there.
        foreseen: Paths that the run would write; a unit file among them is not the package's.
    """
    if wish.former:
        return []
    name = wish.name if "." in wish.name else f"{wish.name}.service"
    if PACKAGES not in foreseen or f"/etc/systemd/system/{name}" in foreseen:
        return steps
    rest = [step for step in steps if step.verb != "enable"]
    return [Step("disable", "its package enables it"), *rest] if wish.enabled is False else rest


def _enablement(wish: Wish, unit: Unit) -> list[Step]:
    state = unit.get("UnitFileState")
    # What has no install section (static, generated, indirect, transient) is run by others.
    off = state in (*_LINKED, "disabled", "enabled-runtime", "bad") or state.startswith("masked")
    if wish.enabled is True and (off or not unit.known):
        return [Step("enable")]
    if wish.enabled is False and state in (*_LINKED, "enabled", "enabled-runtime"):
        return [Step("disable")]
    return []


def _activity(wish: Wish, unit: Unit, restart: Newest, reload: Newest) -> list[Step]:
    if wish.state == "stopped":
        idle = unit.get("ActiveState") in ("inactive", "failed", "")
        return [] if idle else [Step("stop")]
    if wish.state == "restarted":
        return [Step("restart" if unit.running else "start", "asked for")]
    if wish.state == "reloaded":
        return [_reload(unit, "asked for") if unit.running else Step("start", "asked for")]
    if wish.state == "started":
        return _freshness(unit, restart, reload)
    return []


def _freshness(unit: Unit, restart: Newest, reload: Newest) -> list[Step]:
    if unit.get("ActiveState") == "activating":
        return [_while_starting(unit, restart)]
    if not unit.running:
        return [] if _has_done_its_work(unit, restart, reload) else [Step("start", _why_idle(unit))]
    if restart.time > unit.moment("ActiveEnterTimestamp"):
        return [Step("restart", f"{restart.path} is newer than its start")]
    if reload.time > unit.moment("StateChangeTimestamp"):
        return [_reload(unit, f"{reload.path} is newer than what it has read")]
    if unit.get("ReloadResult") not in ("success", "") and reload.path:
        return [_reload(unit, "the last reload failed")]
    return []


def _while_starting(unit: Unit, restart: Newest) -> Step:
    if unit.get("SubState") == "auto-restart":
        return Step("restart", "it keeps failing")
    if restart.time > unit.moment("InactiveExitTimestamp"):
        return Step("restart", f"{restart.path} is newer than its start")
    return Step("start", "it is still starting")


def _has_done_its_work(unit: Unit, restart: Newest, reload: Newest) -> bool:
    ended_well = unit.get("ActiveState") == "inactive" and unit.get("Result") == "success"
    ran = unit.moment("InactiveExitTimestamp")
    return unit.runs_once and ended_well and ran > 0 and max(restart.time, reload.time) <= ran


def _why_idle(unit: Unit) -> str:
    state = unit.get("ActiveState")
    return "" if state in ("inactive", "") else f"it is {state}"


def _reload(unit: Unit, reason: str) -> Step:
    return Step("reload" if unit.get("CanReload") == "yes" else "restart", reason)


def is_missing(wish: Wish, unit: Unit) -> bool:
    """Whether a unit that is to run or to be enabled is not known; systemd may have looked too early."""
    wanted = wish.state in ("started", "restarted", "reloaded") or bool(wish.enabled)
    return wanted and not unit.known
