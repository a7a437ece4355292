"""units: what is decided about a unit, from what systemd says and the age of files."""

from __future__ import annotations

import time

import pytest
from ansible.module_utils.rackwright.freshness import Newest
from ansible.module_utils.rackwright.unit_plan import (
    Step,
    Unit,
    UnitError,
    Wish,
    decide,
    is_missing,
    parse_show,
    parse_time,
)
from hypothesis import given
from hypothesis import strategies as st

NEVER = Newest()
START = "Sun 2026-11-22 08:55:04.500000 UTC"
BEGAN = parse_time(START)
BEFORE, AFTER = Newest(BEGAN - 0.001, "/etc/old"), Newest(BEGAN + 0.001, "/etc/new")


def unit(name: str = "a.service", **properties: str) -> Unit:
    """A service that has been running since START."""
    usual = {
        "Id": name,
        "LoadState": "loaded",
        "ActiveState": "active",
        "SubState": "running",
        "UnitFileState": "enabled",
        "Type": "simple",
        "RemainAfterExit": "no",
        "Result": "success",
        "ReloadResult": "success",
        "CanReload": "yes",
        "NeedDaemonReload": "no",
        "ConditionResult": "yes",
        "ConditionTimestamp": START,
        "ActiveEnterTimestamp": START,
        "InactiveExitTimestamp": START,
        "StateChangeTimestamp": START,
    }
    return Unit(name, {**usual, **properties})


def idle(**properties: str) -> Unit:
    return unit(**{"ActiveState": "inactive", "SubState": "dead", "ActiveEnterTimestamp": "", **properties})


def starting(phase: str) -> Unit:
    return unit(ActiveState="activating", SubState=phase)


def missing() -> Unit:
    empty = dict.fromkeys(idle().properties, "")
    return Unit(
        "a.service", {**empty, "Id": "a.service", "LoadState": "not-found", "ActiveState": "inactive"}
    )


STARTED = Wish("a", "started")
LATER = "Sun 2026-11-22 08:55:05.000000 UTC"
ONCE = {"Type": "oneshot", "InactiveExitTimestamp": START}
FAILED = {"ActiveState": "failed", "Result": "exit-code"}
NEW = {"Type": "oneshot", "InactiveExitTimestamp": ""}
ACTIVITY = [
    ("running and nothing to watch", STARTED, unit(), NEVER, NEVER, []),
    ("files older than the start", STARTED, unit(), BEFORE, BEFORE, []),
    ("a file it reads at its start is newer", STARTED, unit(), AFTER, NEVER, ["restart"]),
    ("restart makes a reload needless", STARTED, unit(), AFTER, AFTER, ["restart"]),
    ("a file it can read again is newer", STARTED, unit(), BEFORE, AFTER, ["reload"]),
    ("no reload to be had", STARTED, unit(CanReload="no"), BEFORE, AFTER, ["restart"]),
    ("reloaded since", STARTED, unit(StateChangeTimestamp=LATER), BEFORE, AFTER, []),
    ("a reload is no restart", STARTED, unit(StateChangeTimestamp=LATER), AFTER, NEVER, ["restart"]),
    ("the last reload failed", STARTED, unit(ReloadResult="exit-code"), NEVER, BEFORE, ["reload"]),
    ("a failed reload of somebody else's", STARTED, unit(ReloadResult="exit-code"), BEFORE, NEVER, []),
    ("idle", STARTED, idle(), NEVER, NEVER, ["start"]),
    ("idle with new files is started, not restarted", STARTED, idle(), AFTER, AFTER, ["start"]),
    ("failed", STARTED, idle(ActiveState="failed"), NEVER, NEVER, ["start"]),
    ("not known yet", STARTED, missing(), NEVER, NEVER, ["start"]),
    ("keeps failing", STARTED, starting("auto-restart"), NEVER, NEVER, ["restart"]),
    ("still starting", STARTED, starting("start"), BEFORE, NEVER, ["start"]),
    ("starting with old files", STARTED, starting("start"), AFTER, NEVER, ["restart"]),
    ("reloading at the moment", STARTED, unit(ActiveState="reloading"), BEFORE, BEFORE, []),
    ("oneshot that remains", STARTED, unit(RemainAfterExit="yes", **ONCE), AFTER, NEVER, ["restart"]),
    ("oneshot that did its work", STARTED, idle(**ONCE), BEFORE, NEVER, []),
    ("oneshot with newer files", STARTED, idle(**ONCE), AFTER, NEVER, ["start"]),
    ("oneshot that failed", STARTED, idle(**ONCE, **FAILED), NEVER, NEVER, ["start"]),
    ("oneshot that never ran", STARTED, idle(**NEW), NEVER, NEVER, ["start"]),
    ("timer that waits", STARTED, unit("a.timer", SubState="waiting", Type=""), NEVER, NEVER, []),
    (
        "socket that listens",
        STARTED,
        unit("a.socket", SubState="listening", Type=""),
        AFTER,
        NEVER,
        ["restart"],
    ),
    ("stop what runs", Wish("a", "stopped"), unit(), AFTER, AFTER, ["stop"]),
    ("stopped already", Wish("a", "stopped"), idle(), AFTER, AFTER, []),
    ("failed is stopped", Wish("a", "stopped"), idle(ActiveState="failed"), NEVER, NEVER, []),
    ("what is not there is stopped", Wish("a", "stopped", enabled=False), missing(), NEVER, NEVER, []),
    ("restart in any case", Wish("a", "restarted"), unit(), NEVER, NEVER, ["restart"]),
    ("restart of what is idle", Wish("a", "restarted"), idle(), NEVER, NEVER, ["start"]),
    ("reload in any case", Wish("a", "reloaded"), unit(), NEVER, NEVER, ["reload"]),
    ("reload of what is idle", Wish("a", "reloaded"), idle(), NEVER, NEVER, ["start"]),
    ("left as it is", Wish("a"), idle(), AFTER, AFTER, []),
]


CASES = [pytest.param(*case[1:], id=case[0]) for case in ACTIVITY]


@pytest.mark.parametrize(("wish", "state", "restart", "reload", "verbs"), CASES)
def test_activity(wish: Wish, state: Unit, restart: Newest, reload: Newest, verbs: list[str]) -> None:
    assert [step.verb for step in decide(wish, state, restart, reload)] == verbs


ENABLEMENT = [
    ("enabled", True, []),
    ("enabled", False, ["disable"]),
    ("disabled", True, ["enable"]),
    ("disabled", False, []),
    ("enabled-runtime", True, ["enable"]),
    ("linked", False, ["disable"]),
    ("static", True, []),
    ("static", False, []),
    ("generated", True, []),
    ("indirect", True, []),
    ("indirect", False, []),
    ("disabled", None, []),
]


@pytest.mark.parametrize(("state", "wanted", "verbs"), ENABLEMENT)
def test_enablement(state: str, wanted: bool | None, verbs: list[str]) -> None:
    steps = decide(Wish("a", enabled=wanted), unit(UnitFileState=state), NEVER, NEVER)
    assert [step.verb for step in steps] == verbs


def test_what_is_enabled_and_started_is_enabled_first() -> None:
    steps = decide(Wish("a", "started", enabled=True), idle(UnitFileState="disabled"), NEVER, NEVER)
    assert [step.verb for step in steps] == ["enable", "start"]


def test_masks() -> None:
    masked = idle(LoadState="masked", UnitFileState="masked")
    assert decide(Wish("a", "stopped", masked=True), masked, NEVER, NEVER) == []
    assert decide(Wish("a", "stopped", masked=True), unit(), NEVER, NEVER) == [Step("stop"), Step("mask")]
    wish = Wish("a", "started", enabled=True, masked=False)
    assert [step.verb for step in decide(wish, masked, NEVER, NEVER)] == ["unmask", "enable", "start"]
    with pytest.raises(UnitError, match="masked: false"):
        decide(STARTED, masked, NEVER, NEVER)


def test_the_reason_names_the_file() -> None:
    assert decide(STARTED, unit(), AFTER, NEVER)[0].reason == "/etc/new is newer than its start"


moments = st.floats(min_value=0, max_value=BEGAN * 2)


@given(restart=moments, reload=moments, start=st.integers(0, 2**31))
def test_after_the_decision_was_carried_out_nothing_is_left_to_do(
    restart: float, reload: float, start: int
) -> None:
    def state(moment: float) -> Unit:
        stamp = time.strftime("Sun %Y-%m-%d %H:%M:%S.000000 UTC", time.gmtime(moment))
        return unit(ActiveEnterTimestamp=stamp, StateChangeTimestamp=stamp)

    files = Newest(restart, "/a"), Newest(reload, "/b")
    steps = decide(STARTED, state(start), *files)
    assert bool(steps) == (max(restart, reload) > start)
    assert decide(STARTED, state(max(restart, reload) + 1), *files) == []


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("Thu 1970-01-01 00:00:01.250000 UTC", 1.25),
        ("Thu 1970-01-01 00:01:00 UTC", 60.0),
        ("", 0.0),
        ("n/a", 0.0),
    ],
)
def test_time_stamps(text: str, seconds: float) -> None:
    assert parse_time(text) == seconds


def test_answers_belong_to_the_names_in_their_order() -> None:
    output = "Id=real.service\nLoadState=loaded\n\nId=x.timer\nLoadState=not-found\n"
    first, second = parse_show(["alias.service", "x.timer"], output)
    assert (first.name, first.identity, first.known) == ("alias.service", "real.service", True)
    assert (second.identity, second.known) == ("x.timer", False)
    with pytest.raises(UnitError):
        parse_show(["only-one"], output)


@pytest.mark.parametrize(
    ("wish", "state", "needed"),
    [
        (STARTED, unit(), False),
        (STARTED, missing(), True),
        (Wish("a", enabled=True), missing(), True),
        (Wish("a", "stopped", enabled=False), missing(), False),
    ],
)
def test_what_systemd_has_to_look_for_again(wish: Wish, state: Unit, needed: bool) -> None:
    assert is_missing(wish, state) == needed
