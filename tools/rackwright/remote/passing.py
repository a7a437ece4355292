"""Checks that pass, as most do, need neither their message nor their specification templated.

Ansible templates every argument of a task first. The message of an `assert` is most often made by the very
filter that the check itself asks, and a role's specification is as long as its documentation. One that fails
in the main process is made again in a process of its own, in Ansible's own way, and tells all.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ansible.plugins.loader import action_loader

# What each of them needs only to fail, or finds without templates in it.
_UNUSED = {
    "assert": frozenset({"fail_msg", "msg"}),
    "validate_argument_spec": frozenset({"argument_spec", "validate_args_context"}),
}
_state = {"expected": False}


@contextmanager
def expected() -> Iterator[None]:
    """Take it that checks pass, as long as this lasts; whoever uses it makes those that fail again."""
    _state["expected"] = True
    try:
        yield
    finally:
        _state["expected"] = False


def is_check(action: str) -> bool:
    """Tell whether an action is one of these checks."""
    return action.removeprefix("ansible.builtin.") in _UNUSED


def install() -> None:
    """Let the checks leave such arguments as they stand while all are expected to pass."""
    for name, unused in _UNUSED.items():
        kind = action_loader.get(f"ansible.builtin.{name}", class_only=True)
        if "finalize_here" not in vars(kind):
            _leave(kind, unused)


def _leave(kind: Any, unused: frozenset[str]) -> None:  # noqa: ANN401 - Ansible ships no types
    finalize = kind.finalize_task_arg

    def finalize_task_arg(_kind: Any, name: str, value: Any, templar: Any, context: Any) -> Any:  # noqa: ANN401 - as above
        plain = name == "argument_spec" and _templated(value)
        if _state["expected"] and name in unused and not plain:
            return value
        return finalize(name, value, templar, context)

    kind.finalize_here = True
    kind.finalize_task_arg = classmethod(finalize_task_arg)


def _templated(value: Any) -> bool:  # noqa: ANN401 - whatever a specification holds
    """Tell whether there may be a template in a value."""
    if isinstance(value, dict):
        return any(_templated(entry) for entry in value.values())
    if isinstance(value, list):
        return any(_templated(entry) for entry in value)
    return isinstance(value, str) and ("{{" in value or "{%" in value)
