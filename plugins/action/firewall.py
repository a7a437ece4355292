"""Both halves of a firewall change: load it, then confirm it over a connection that had to get through it."""

from __future__ import annotations

import time
from typing import Any

from ansible.errors import AnsibleConnectionFailure, AnsibleError

from rackwright.remote.rendering import rendered
from rackwright.remote.resident import ResidentModules

# Pause between two attempts to reach a host through its new rules, in seconds.
RETRY_PAUSE = 2.0
# How much longer than its timer a host may take to have its old rules back, in seconds.
GRACE = 3.0
DEFAULT_ROLLBACK = 45


class ActionModule(ResidentModules):
    """Runs the module once when nothing changes, and a second time to confirm a change."""

    _supports_check_mode = True
    decides_here = "verified"
    _supports_diff = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Applies and confirms; waits for a host that was lost until it has gone back."""
        super().run(tmp, task_vars)
        arguments = self._rendered(dict(self._task.args), task_vars or {})
        if {"phase", "token"} & set(arguments):
            return {"failed": True, "msg": "firewall: leave phase and token to the action"}
        seconds = float(arguments.get("rollback_seconds", DEFAULT_ROLLBACK))
        result = self._call(arguments, task_vars)
        token = result.pop("pending", None)
        if token is None or result.get("failed"):
            return result
        deadline = time.monotonic() + seconds
        confirmation, error = self._confirm(arguments, str(token), deadline, task_vars)
        if confirmation is not None and not confirmation.get("failed"):
            return result
        if confirmation is not None:
            late = (
                f"{confirmation.get('msg', '')} {self._advice(error)}" if error else confirmation.get("msg")
            )
            return {**result, **confirmation, "msg": late, "changed": False}
        return {
            **result,
            **self._explain(arguments, error, deadline, task_vars),
            "failed": True,
            "changed": False,
        }

    def _rendered(self, arguments: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        """Takes a template of the role for each text that is named by one."""
        for name in ("ruleset", "unit"):
            template = arguments.pop(f"{name}_template", None)
            if template is not None:
                arguments[name] = rendered(self, str(template), f"firewall's {name}", task_vars)
        return arguments

    def _call(self, arguments: dict[str, Any], task_vars: dict[str, Any] | None) -> dict[str, Any]:
        answer: dict[str, Any] = self._execute_module(
            module_name="firewall", module_args=arguments, task_vars=task_vars
        )
        # What the module was told is as long as the rules; the result says what matters.
        answer.pop("invocation", None)
        return answer

    def _confirm(
        self, arguments: dict[str, Any], token: str, deadline: float, task_vars: dict[str, Any] | None
    ) -> tuple[dict[str, Any] | None, str]:
        """Asks through a new connection until it answers or the host has gone back.

        Returns:
            The module's answer, or None when the host was not reached, and the last error.
        """
        error = ""
        while True:
            try:
                # The connection that loaded the rules is established and proves nothing.
                self._connection.reset()
                return self._call({**arguments, "phase": "confirm", "token": token}, task_vars), error
            except AnsibleConnectionFailure as failure:
                error = str(failure).strip()
            if time.monotonic() + RETRY_PAUSE >= deadline:
                return None, error
            time.sleep(RETRY_PAUSE)

    @staticmethod
    def _advice(error: str) -> str:
        return (
            f"The control node could not get through the new rules ({error}). Compare "
            "firewall_rules.management_sources with the address that the control node comes from."
        )

    def _explain(
        self, arguments: dict[str, Any], error: str, deadline: float, task_vars: dict[str, Any] | None
    ) -> dict[str, Any]:
        """Waits for the host's own way back and says how it ended."""
        seconds = float(arguments.get("rollback_seconds", DEFAULT_ROLLBACK))
        message = f"{self._advice(error)} "
        time.sleep(max(0.0, deadline - time.monotonic()) + GRACE)
        try:
            self._connection.reset()
            status = self._call({**arguments, "phase": "status"}, task_vars)
        except AnsibleError as failure:
            return {
                "msg": f"{message}The host does not answer {seconds:g} s later either: {failure}. It has a "
                "timer of its own for its previous rules; a reboot loads the last confirmed ones.",
                "rolled_back": None,
            }
        if status.get("rolled_back"):
            return {
                "msg": f"{message}The host has taken them back by itself; the previous rules are in force.",
                "rolled_back": True,
            }
        return {
            "msg": f"{message}The host answers again, but its previous rules are not back.",
            "rolled_back": False,
        }
