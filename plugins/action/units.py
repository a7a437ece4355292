"""Refuses a wrong list of units on the controller, and ships a right one once."""

from __future__ import annotations

import re
from typing import Any

from ansible.errors import AnsibleActionFail

from rackwright.remote.foreseen import foreseen
from rackwright.remote.resident import ResidentModules

_KEYS = {"name", "state", "enabled", "masked", "former", "restart_after", "reload_after", "wait", "block"}
_WAIT_KEYS = {"address", "port", "seconds"}
_STATES = ("started", "stopped", "restarted", "reloaded")


class ActionModule(ResidentModules):
    """The controller's half of the block."""

    TRANSFERS_FILES = False
    _supports_check_mode = True
    decides_here = "verified"

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Check the list and ask the host."""
        super().run(tmp, task_vars)
        unknown = set(self._task.args) - {"items"}
        items = self._task.args.get("items")
        if unknown or not isinstance(items, list):
            raise AnsibleActionFail(
                "units: write items, a list of dictionaries with a name each, and nothing else"
            )
        for item in items:
            _check(item)
        arguments: dict[str, Any] = {"items": items}
        if self._task.check_mode and (paths := sorted(foreseen(task_vars))):
            arguments["foreseen"] = paths
        result: dict[str, Any] = self._execute_module(
            module_name="units", module_args=arguments, task_vars=task_vars
        )
        result.pop("invocation", None)
        return result


def _check(item: object) -> None:
    if not isinstance(item, dict) or not re.fullmatch(r"[A-Za-z0-9:_.\\@-]+", str(item.get("name") or "")):
        raise AnsibleActionFail(f"units: {item!r} has no name of a unit")
    where = f"units, {item['name']}"
    if set(item) - _KEYS:
        unknown = ", ".join(sorted(set(item) - _KEYS))
        raise AnsibleActionFail(f"{where}: unknown {unknown}; known are {', '.join(sorted(_KEYS))}")
    if item.get("state") is not None and item["state"] not in _STATES:
        raise AnsibleActionFail(f"{where}: state is {item['state']!r}; write one of {', '.join(_STATES)}")
    for key in ("restart_after", "reload_after"):
        paths = item.get(key) or []
        if not isinstance(paths, list) or not all(str(path).startswith("/") for path in paths):
            raise AnsibleActionFail(f"{where}: {key} is {paths!r}; write a list of absolute paths")
    if item.get("masked") and item.get("state") in ("started", "restarted", "reloaded"):
        raise AnsibleActionFail(f"{where}: masked and {item['state']} exclude each other; leave one of them")
    wait = item.get("wait")
    if wait is not None and (not isinstance(wait, dict) or set(wait) - _WAIT_KEYS or "port" not in wait):
        raise AnsibleActionFail(f"{where}: wait is {wait!r}; write address, port and seconds")
