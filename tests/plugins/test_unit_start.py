"""Starting units: what is waited for, what counts as up, and what a failure says."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from unittest import mock

import pytest
from ansible.module_utils.rackwright import systemd, unit_start
from ansible.module_utils.rackwright.command import Outcome
from ansible.module_utils.rackwright.unit_plan import Unit, UnitError
from ansible.module_utils.rackwright.unit_start import Port, Starts

PORT = Port("192.0.2.1", 7001, 1.0)
IDLE = {"ActiveState": "inactive", "Result": "success", "Type": "simple"}
UP = {**IDLE, "ActiveState": "active"}
COMING = {**IDLE, "ActiveState": "activating", "Job": "7"}


def unit(state: dict[str, str], **more: str) -> Unit:
    return Unit("ledger.service", {"Id": "ledger.service", **state, **more})


@dataclass
class Host:
    """A systemd whose unit is in another state at each look, and whose port answers from some look on."""

    states: list[dict[str, str]]
    answers_from: int | None = None
    looks: int = 0
    told: list[tuple[str, bool]] = field(default_factory=list)
    clock: float = 0.0

    def show(self, _names: list[str]) -> list[Unit]:
        state = self.states[min(self.looks, len(self.states) - 1)]
        self.looks += 1
        return [unit(state)]

    def tell(self, verb: str, _name: str, *, block: bool = True) -> Outcome:
        self.told.append((verb, block))
        return Outcome((), 0, "", "")

    def wait_for(self, *_port: object) -> bool:
        return self.answers_from is not None and self.looks >= self.answers_from

    def sleep(self, seconds: float) -> None:
        self.clock += seconds


Make = Callable[..., Host]


@pytest.fixture
def make() -> Iterator[Make]:
    with mock.patch.multiple(
        systemd, show=mock.DEFAULT, tell=mock.DEFAULT, wait_for=mock.DEFAULT
    ) as replaced:

        def made(states: list[dict[str, str]], answers_from: int | None = None) -> Host:
            host = Host(states, answers_from)
            for name in ("show", "tell", "wait_for"):
                replaced[name].side_effect = getattr(host, name)
            clock.monotonic.side_effect = lambda: host.clock
            clock.sleep.side_effect = host.sleep
            return host

        with (
            mock.patch.object(systemd, "last_words", return_value="its last words"),
            mock.patch.object(unit_start, "time") as clock,
        ):
            yield made


def test_what_forks_is_waited_for_at_its_port_not_for_its_starter(make: Make) -> None:
    host = make([COMING], answers_from=3)
    after = Starts().begin("ledger", "start", unit(IDLE, Type="forking"), PORT)
    assert host.told == [("start", False)]
    assert after.get("ActiveState") == "activating"
    assert host.looks == 3


@pytest.mark.parametrize("kind", ["simple", "notify", "oneshot"])
def test_what_says_itself_when_it_is_ready_is_waited_for(make: Make, kind: str) -> None:
    host = make([UP], answers_from=0)
    Starts().begin("ledger", "start", unit(IDLE, Type=kind), PORT)
    assert host.told == [("start", True)]


def test_an_answer_before_the_start_is_not_taken_for_its_own(make: Make) -> None:
    host = make([UP], answers_from=0)
    Starts().begin("ledger", "start", unit(IDLE, Type="forking"), PORT)
    assert host.told == [("start", True)]


def test_the_old_program_s_answer_is_not_that_of_a_restart(make: Make) -> None:
    old, new = {**UP, "InvocationID": "a", "Job": "7"}, {**COMING, "InvocationID": "b"}
    host = make([old, old, new], answers_from=0)
    after = Starts().begin("ledger", "restart", unit(UP, Type="forking", InvocationID="a"), PORT)
    assert after.get("InvocationID") == "b"
    assert host.looks == 3


def test_the_seconds_of_a_port_count_from_the_end_of_the_start(make: Make) -> None:
    host = make([COMING] * 50 + [UP])
    with pytest.raises(UnitError, match=r"nothing listens on 192\.0\.2\.1:7001 after 1 s"):
        Starts().begin("ledger", "start", unit(IDLE, Type="forking"), PORT)
    assert host.clock > 5.0


def test_a_start_that_fails_meanwhile_is_told_at_once(make: Make) -> None:
    make([COMING, {**IDLE, "ActiveState": "failed", "Result": "exit-code"}])
    with pytest.raises(
        UnitError, match=r"(?s)ledger: start failed .failed, result exit-code.*its last words"
    ):
        Starts().begin("ledger", "start", unit(IDLE, Type="forking"), PORT)


def test_what_is_not_waited_for_may_still_be_queued(make: Make) -> None:
    host = make([{**IDLE, "Job": "9"}])
    Starts().begin("ledger", "start", unit(IDLE), None, block=False)
    assert host.told == [("start", False)]


@pytest.mark.parametrize("state", [IDLE, {**COMING, "Result": "exit-code"}])
def test_what_should_be_up_and_is_not_fails(make: Make, state: dict[str, str]) -> None:
    make([state])
    with pytest.raises(UnitError, match="start failed"):
        Starts().begin("ledger", "start", unit(IDLE), None)


def test_one_pause_shows_that_all_stay_up(make: Make) -> None:
    host = make([UP])
    starts = Starts()
    for _ in range(3):
        starts.begin("ledger", "start", unit(IDLE), None)
    starts.settle()
    assert 0.2 < host.clock < 0.3


def test_who_says_that_it_is_ready_is_not_looked_at_again(make: Make) -> None:
    host = make([{**UP, "Type": "notify"}])
    starts = Starts()
    starts.begin("ledger", "start", unit(IDLE), None)
    starts.settle()
    assert (host.looks, host.clock) == (1, 0.0)


def test_what_falls_down_after_its_start_is_told_in_the_end(make: Make) -> None:
    make([UP, {**IDLE, "ActiveState": "activating", "SubState": "auto-restart", "Result": "exit-code"}])
    starts = Starts()
    starts.begin("ledger", "start", unit(IDLE), None)
    with pytest.raises(UnitError, match=r"ledger: start failed .activating, result exit-code"):
        starts.settle()


def test_nothing_started_costs_no_pause(make: Make) -> None:
    host = make([UP])
    Starts().settle()
    assert (host.looks, host.clock) == (0, 0.0)
