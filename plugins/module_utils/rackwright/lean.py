"""The base of modules that every run asks: Ansible's own takes longer to load than they take to answer.

What is given exactly as the specification has it is taken here. Whatever else there is to do (converting a
value, refusing one, failing, hiding a secret in an answer) is done by Ansible's own AnsibleModule, loaded
only then.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from typing import Any, NoReturn

# What the host was given, as JSON; None where Ansible starts the module in its own way.
given: bytes | None = None
MASKED = "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"
_PROFILE = "legacy"
_KNOWN = {"type", "default", "required", "choices", "elements", "options", "required_if", "no_log"}
_PLAIN: dict[str, type] = {"str": str, "int": int, "bool": bool, "float": float, "dict": dict, "list": list}

Spec = dict[str, dict[str, Any]]


class InexactError(Exception):
    """Something is not as the specification has it, or more than is understood here."""


class Module:
    """Of AnsibleModule what such modules need; check mode is supported by all of them."""

    def __init__(self, argument_spec: Spec) -> None:
        """Take the arguments.

        Args:
            argument_spec: As AnsibleModule's.
        """
        self._spec = argument_spec
        self._secrets: set[str] = set()
        self._full: Any = None
        self.params: dict[str, Any]
        try:
            arguments = _arguments(given)
            own = {key: value for key, value in arguments.items() if not key.startswith("_ansible_")}
            self.params, self._told = _taken(argument_spec, own, (), self._secrets)
            self.check_mode = bool(arguments.get("_ansible_check_mode"))
        except InexactError:
            self._full = _full(argument_spec)
            self.params, self.check_mode = self._full.params, self._full.check_mode

    def exit_json(self, **result: Any) -> NoReturn:  # noqa: ANN401 - as AnsibleModule's
        """Answer, and end."""
        if self._full is None and not _tells(result, self._secrets) and not _tells(self._told, self._secrets):
            result.setdefault("invocation", {"module_args": self._told})
            sys.stdout.write(f"\n{json.dumps(result)}\n")
            sys.exit(0)
        self._ansible().exit_json(**result)
        raise AssertionError

    def fail_json(self, msg: str, **result: Any) -> NoReturn:  # noqa: ANN401 - as above
        """Fail, and end."""
        self._ansible().fail_json(msg, **result)
        raise AssertionError

    def _ansible(self) -> Any:  # noqa: ANN401
        self._full = self._full or _full(self._spec)
        return self._full


def _full(spec: Spec) -> Any:  # noqa: ANN401
    from ansible.module_utils import basic  # noqa: PLC0415 - what all this is to avoid

    if given is not None:
        basic._ANSIBLE_ARGS = given  # noqa: SLF001 - as Ansible's loader of modules does
        basic._ANSIBLE_PROFILE = _PROFILE  # noqa: SLF001
    return basic.AnsibleModule(argument_spec=spec, supports_check_mode=True)


def _arguments(text: bytes | None) -> dict[str, Any]:
    """Return what was given; Ansible marks values of its own types by keys like `__ansible_type`."""
    if text is None or b'"__ansible_' in text:
        raise InexactError
    try:
        arguments = json.loads(text)["ANSIBLE_MODULE_ARGS"]
    except (ValueError, KeyError, TypeError) as error:
        raise InexactError from error
    if not isinstance(arguments, dict) or arguments.get("_ansible_debug"):
        raise InexactError
    return arguments


def _taken(
    spec: Spec,
    arguments: dict[str, Any],
    required_if: Iterable[tuple[str, Any, tuple[str, ...]]],
    secrets: set[str],
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the parameters, and what may be told of them.

    Args:
        spec: The specification.
        arguments: What was given.
        required_if: As AnsibleModule's.
        secrets: Gets the values that may not be told.

    Raises:
        InexactError: AnsibleModule has to look at it.
    """
    if set(arguments) - set(spec):
        raise InexactError
    params: dict[str, Any] = {}
    told: dict[str, Any] = {}
    for name, about in spec.items():
        if set(about) - _KNOWN:
            raise InexactError
        if name not in arguments:
            if about.get("required") or (about.get("no_log") and about.get("default")):
                raise InexactError
            params[name] = told[name] = about.get("default")
            continue
        params[name], told[name] = _value(about, about.get("type", "str"), arguments[name], secrets)
        if about.get("no_log"):
            if not isinstance(params[name], str):
                raise InexactError
            secrets.add(params[name])
            told[name] = MASKED
    for key, value, needed in required_if:
        if params[key] == value and any(params[other] is None for other in needed):
            raise InexactError
    return params, told


def _value(about: dict[str, Any], kind: str, value: Any, secrets: set[str]) -> tuple[Any, Any]:  # noqa: ANN401
    if kind == "path" and isinstance(value, str) and not {"~", "$"} & set(value):
        return value, value
    if kind == "float" and type(value) is int:
        value = float(value)
    kind_given = type(value)
    if kind_given is not _PLAIN.get(kind) or ("choices" in about and value not in about["choices"]):
        raise InexactError
    if kind == "list" and "elements" in about:
        element: dict[str, Any] = {
            key: entry for key, entry in about.items() if key not in ("choices", "elements")
        }
        pairs = [_value(element, about["elements"], entry, secrets) for entry in value]
        return [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    if kind == "dict" and "options" in about:
        return _taken(about["options"], value, about.get("required_if", ()), secrets)
    return value, value


def _tells(value: Any, secrets: set[str]) -> bool:  # noqa: ANN401
    """Tell whether a secret is in a value."""
    if isinstance(value, dict):
        return any(_tells(entry, secrets) for entry in (*value, *value.values()))
    if isinstance(value, list):
        return any(_tells(entry, secrets) for entry in value)
    return any(secret and secret in str(value) for secret in secrets)
