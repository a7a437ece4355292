"""Looks at a host: one remote call. A host that cannot be asked gives a result as well, which says why."""

from __future__ import annotations

import time
from typing import Any

from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase

from rackwright.remote.resident import ResidentModules


class ActionModule(ResidentModules, ActionBase):  # type: ignore[misc]  # Ansible ships no types
    """Calls module `host_preflight` and adds the control node's clock around the call.

    With `scope: new` the call that every run begins with, for the host's facts, is made first; a host that
    the platform has been brought to before is not looked at any further, and a host that cannot be asked is
    Ansible's own affair, since what runs on the others goes on.
    """

    TRANSFERS_FILES = False
    _supports_check_mode = True
    _supports_async = False
    _supports_diff = False

    def run(self, tmp: None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Look at the host."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        variables = task_vars or {}
        if self._task.args.get("scope", "all") == "new":
            result |= self._execute_module("host_facts", {}, task_vars=variables)
            facts = (result.get("ansible_facts") or {}).get("host_facts") or {}
            result["converged"] = bool(facts.get("converged"))
            if result.get("failed") or result.get("unreachable") or result["converged"]:
                return result
        return result | self._look(variables)

    def _look(self, variables: dict[str, Any]) -> dict[str, Any]:
        before = time.time()
        try:
            seen = self._execute_module("host_preflight", self._task.args, task_vars=variables)
        except AnsibleError as error:
            # It could not be reached, or sudo asked for something.
            return {"changed": False, "problem": str(error)}
        after = time.time()
        if seen.get("failed") or "observations" not in seen:
            said = [str(seen.get(key) or "") for key in ("msg", "module_stderr", "module_stdout")]
            return {"changed": False, "problem": "\n".join(part for part in said if part)}
        return {"changed": False, "observations": seen["observations"], "window": [before, after]}
