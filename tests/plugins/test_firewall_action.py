"""The action firewall on the control node: when it confirms, and what it says when it cannot."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import ModuleType, SimpleNamespace
from typing import Any, TypeAlias
from unittest import mock

import pytest
from ansible.errors import AnsibleConnectionFailure

Answer: TypeAlias = dict[str, Any] | Exception
LOADED = {"changed": True, "reasons": ["the rules are new"], "pending": "t0ken"}
ARGUMENTS = {"ruleset": "rules", "unit": "unit", "rollback_seconds": 30}
UNREACHABLE = AnsibleConnectionFailure("Connection timed out")


class Controller:
    """The action with a host that answers as a list says, and a clock that only sleeping moves."""

    def __init__(self, module: ModuleType) -> None:
        self.module = module
        self.now = 1000.0
        self.calls: list[dict[str, Any]] = []
        self.resets = 0

    def run(self, *answers: Answer, last: Answer | None = None, **arguments: object) -> dict[str, Any]:
        waiting: Iterator[Answer] = iter(answers)
        action = self.module.ActionModule.__new__(self.module.ActionModule)
        action._task = SimpleNamespace(args=arguments or dict(ARGUMENTS))
        action._connection = SimpleNamespace(reset=self._reset)

        def execute(module_name: str, module_args: dict[str, Any], **_: object) -> dict[str, Any]:
            assert module_name == "firewall"
            self.calls.append({**module_args, "resets": self.resets})
            answer = next(waiting, last)
            assert answer is not None, "one call too many"
            if isinstance(answer, Exception):
                self.now += 10
                raise answer
            return dict(answer)

        action._execute_module = execute
        with mock.patch.object(self.module.ResidentModules, "run", return_value={}):
            result: dict[str, Any] = action.run(task_vars={})
        return result

    def _reset(self) -> None:
        self.resets += 1

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def controller(load: Callable[[str, str], ModuleType], monkeypatch: pytest.MonkeyPatch) -> Controller:
    module = load("action", "firewall")
    made = Controller(module)
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: made.now, sleep=made.sleep))
    return made


def test_nothing_to_change_is_one_call(controller: Controller) -> None:
    result = controller.run({"changed": False, "reasons": []})
    assert not result["changed"]
    assert len(controller.calls) == 1
    assert controller.resets == 0


def test_a_change_is_confirmed_through_a_new_connection(controller: Controller) -> None:
    result = controller.run(LOADED, {"changed": True, "rolled_back": False})
    assert result == {"changed": True, "reasons": ["the rules are new"]}
    assert [call.get("phase") for call in controller.calls] == [None, "confirm"]
    assert controller.calls[1]["token"] == "t0ken"
    assert controller.calls[1]["resets"] == 1


def test_one_lost_connection_is_tried_again(controller: Controller) -> None:
    result = controller.run(LOADED, UNREACHABLE, {"changed": True})
    assert result["changed"]
    assert "failed" not in result
    assert controller.resets == 2


def test_a_host_that_is_cut_off_is_waited_for_and_said_to_be_back(controller: Controller) -> None:
    result = controller.run(LOADED, UNREACHABLE, UNREACHABLE, UNREACHABLE, {"rolled_back": True})
    assert result["failed"]
    assert not result["changed"]
    assert result["rolled_back"] is True
    assert "taken them back by itself" in result["msg"]
    assert "management_sources" in result["msg"]
    assert controller.now >= 1000 + ARGUMENTS["rollback_seconds"]  # type: ignore[operator]
    assert controller.calls[-1]["phase"] == "status"


def test_a_host_that_never_answers_again_is_said_to_be_so(controller: Controller) -> None:
    result = controller.run(LOADED, last=UNREACHABLE)
    assert result["failed"]
    assert result["rolled_back"] is None
    assert "does not answer" in result["msg"]


def test_a_confirmation_that_came_too_late_fails_with_the_reason(controller: Controller) -> None:
    late = {"failed": True, "msg": "The confirmation came too late.", "rolled_back": True}
    result = controller.run(LOADED, UNREACHABLE, late)
    assert result["failed"]
    assert not result["changed"]
    assert result["msg"].startswith("The confirmation came too late. The control node could not get through")


def test_a_first_half_that_fails_is_the_result(controller: Controller) -> None:
    result = controller.run({"failed": True, "msg": "nft refuses the rules"})
    assert result["failed"]
    assert len(controller.calls) == 1


@pytest.mark.parametrize("key", ["phase", "token"])
def test_the_second_half_is_nobody_elses(controller: Controller, key: str) -> None:
    result = controller.run(**ARGUMENTS, **{key: "confirm"})
    assert result["failed"]
    assert controller.calls == []


def test_templates_are_rendered_before_the_host_is_asked(
    controller: Controller, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[str, str]] = []

    def rendered(_action: object, name: str, dest: str, _variables: dict[str, Any]) -> str:
        seen.append((name, dest))
        return f"text of {name}"

    monkeypatch.setattr(controller.module, "rendered", rendered)
    # Lost after the change, so that every phase is gone through.
    controller.run(
        *(LOADED, UNREACHABLE),
        last={"changed": False, "rolled_back": True},
        ruleset_template="a.j2",
        unit_template="b.j2",
        rollback_seconds=5,
    )
    assert [call.get("phase") for call in controller.calls] == [None, "confirm", "status"]
    for call in controller.calls:
        assert (call["ruleset"], call["unit"]) == ("text of a.j2", "text of b.j2")
        assert not {"ruleset_template", "unit_template"} & set(call)
    assert [name for name, _ in seen] == ["a.j2", "b.j2"]
