"""Hands the module, in check mode, the configuration that the same run would have written before."""

from __future__ import annotations

from typing import Any

from rackwright.remote.foreseen import foreseen
from rackwright.remote.resident import ResidentModules


class ActionModule(ResidentModules):
    """Nothing else is needed on the control node; the module stays on the hosts."""

    TRANSFERS_FILES = False
    _supports_check_mode = True
    decides_here = "verified"

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Run the module."""
        super().run(tmp, task_vars)
        arguments = dict(self._task.args)
        if self._task.check_mode:
            directory = f"{str(arguments.get('configuration_directory', '')).rstrip('/')}/"
            found = {
                path: text
                for path, text in foreseen(task_vars).items()
                if path.startswith(directory) and path.endswith(".conf") and text is not None
            }
            # Without any it is the same call as in a run, and what was verified answers both.
            arguments |= {"foreseen": found} if found else {}
        result: dict[str, Any] = self._execute_module(module_args=arguments, task_vars=task_vars)
        return result
