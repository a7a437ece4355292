"""lean: what it takes and answers is what Ansible's own base takes and answers."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Callable
from typing import Any, TypeAlias

import pytest
from ansible.module_utils import basic
from ansible.module_utils.rackwright import lean
from hypothesis import given
from hypothesis import strategies as st

Value: TypeAlias = Any

SPEC: lean.Spec = {
    "checks": {
        "type": "list",
        "elements": "dict",
        "required": True,
        "options": {
            "kind": {"type": "str", "required": True, "choices": ["tcp", "unit"]},
            "port": {"type": "int"},
            "path": {"type": "path", "default": "/"},
            "key": {"type": "str", "no_log": True},
        },
        "required_if": [("kind", "tcp", ("port",))],
    },
    "names": {"type": "list", "elements": "str", "default": []},
    "seconds": {"type": "float", "default": 5.0},
    "password": {"type": "str", "no_log": True},
    "fail": {"type": "bool", "default": False},
}
SETTINGS = {"_ansible_check_mode": False, "_ansible_no_log": True, "_ansible_module_name": "it"}
WELL = {"checks": [{"kind": "tcp", "port": 1}], "password": "hunter2"}


class _Asked(Exception):  # noqa: N818 - no error
    """Ansible's own base was needed."""


def answer(made: Callable[[], Value], result: dict[str, Any]) -> dict[str, Any]:
    """What a module prints that took its arguments and ends with this result."""
    output = io.StringIO()
    with contextlib.redirect_stdout(output), contextlib.suppress(SystemExit):
        module = made()
        module.exit_json(**result, taken=json.loads(json.dumps(module.params)), check=module.check_mode)
    printed: dict[str, Any] = json.loads(output.getvalue())
    # Where it was raised.
    printed.pop("exception", None)
    return printed


def of_ansible(text: bytes, result: dict[str, Any]) -> dict[str, Any]:
    def made() -> Value:
        basic._ANSIBLE_ARGS, basic._ANSIBLE_PROFILE = text, "legacy"
        return basic.AnsibleModule(argument_spec=SPEC, supports_check_mode=True)

    return answer(made, result)


def of_lean(text: bytes, result: dict[str, Any]) -> dict[str, Any]:
    lean.given = text
    try:
        return answer(lambda: lean.Module(SPEC), result)
    finally:
        lean.given = None


def as_text(arguments: dict[str, Any], **settings: Value) -> bytes:
    return json.dumps({"ANSIBLE_MODULE_ARGS": {**arguments, **SETTINGS, **settings}}).encode()


VALUES = st.sampled_from(
    [
        None,
        True,
        False,
        0,
        1,
        7,
        1.5,
        "",
        "1",
        "yes",
        "tcp",
        "unit",
        "hunter2",
        "~/x",
        "$HOME",
        "/x",
        [],
        ["a"],
        {},
    ]
)
CHECKS = st.lists(
    st.dictionaries(st.sampled_from(["kind", "port", "path", "key", "prot"]), VALUES, max_size=4), max_size=2
)
ARGUMENTS = st.one_of(
    st.dictionaries(st.sampled_from([*SPEC, "pasword"]), VALUES, max_size=5),
    st.builds(
        lambda checks, more: {**more, "checks": checks},
        CHECKS,
        st.dictionaries(st.sampled_from([*SPEC, "pasword"]), VALUES, max_size=3),
    ),
)


@given(ARGUMENTS, st.booleans(), VALUES)
def test_arguments_and_answers_are_those_of_ansible(arguments: Value, check: bool, told: Value) -> None:
    text = as_text(arguments, _ansible_check_mode=check)
    result = {"changed": False, "told": told}
    assert of_lean(text, dict(result)) == of_ansible(text, dict(result))


def test_what_is_given_exactly_needs_nothing_of_ansible(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: object) -> None:
        raise _Asked

    monkeypatch.setattr(lean, "_full", full)
    lean.given = as_text(WELL)
    try:
        module = lean.Module(SPEC)
        assert module.params["checks"] == [{"kind": "tcp", "port": 1, "path": "/", "key": None}]
        with contextlib.redirect_stdout(io.StringIO()) as output, pytest.raises(SystemExit):
            module.exit_json(changed=False)
        # A secret in an answer has to be hidden, and a failure to be told in Ansible's way.
        with pytest.raises(_Asked):
            module.exit_json(detail="it said hunter2")
        with pytest.raises(_Asked):
            module.fail_json("no")
    finally:
        lean.given = None
    assert "hunter2" not in output.getvalue()


@pytest.mark.parametrize("secret", ["hunter2", "7", "tcp"])
def test_a_secret_is_told_nowhere(secret: str) -> None:
    arguments = {"checks": [{"kind": "tcp", "port": 7, "key": secret}], "names": [secret], "password": secret}
    for result in ({"changed": False, "detail": f"-{secret}-"}, {"changed": False, "of": {"it": [secret]}}):
        text = as_text(arguments)
        mine = of_lean(text, dict(result))
        assert mine == of_ansible(text, dict(result))
        mine.pop("taken")
        assert "hunter2" not in json.dumps(mine)
