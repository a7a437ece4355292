"""`settled_by`: its module stays on the hosts, and is told in check mode what the run would have written."""

from __future__ import annotations

from typing import Any

from rackwright.remote.foreseen import foreseen
from rackwright.remote.resident import ResidentModules


class ActionModule(ResidentModules):
    """The host is not asked when it has verified that nothing was touched since all was in force."""

    TRANSFERS_FILES = False
    _supports_check_mode = True
    decides_here = "verified"

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Ask the host."""
        super().run(tmp, task_vars)
        arguments = dict(self._task.args)
        if self._task.check_mode and (paths := sorted(foreseen(task_vars))):
            arguments["foreseen"] = paths
        result: dict[str, Any] = self._execute_module(
            module_name="settled_by", module_args=arguments, task_vars=task_vars
        )
        result.pop("invocation", None)
        return result
