"""Installs a release of the app: the half that runs on the control node."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail

from rackwright.remote.foreseen import foresee
from rackwright.remote.resident import ResidentModules


class ActionModule(ResidentModules):
    """Asks the host whether it has the release; sends the archive only when it has not."""

    TRANSFERS_FILES = False
    _supports_check_mode = True
    decides_here = "verified"

    def run(self, tmp: None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Run the task.

        Args:
            tmp: Unused; kept by Ansible for old plugins.
            task_vars: The variables of the host.

        Returns:
            The module's result: changed, release, previous, reason.
        """
        super().run(tmp, task_vars)
        arguments = dict(self._task.args)
        archive = Path(str(arguments.pop("archive", "")))
        if not archive.is_absolute() or not archive.is_file():
            raise AnsibleActionFail(
                f"app_release: archive: {str(archive)!r} is no file of the control node; "
                "give the path that `rackwright wheelhouse build` prints"
            )
        first: dict[str, Any] = self._execute_module(module_args=arguments, task_vars=task_vars)
        if self._task.check_mode and first.get("changed"):
            # Written with every switch; the service's start is compared with it.
            foresee(first, task_vars, {f"{str(arguments.get('root', '')).rstrip('/')}/release.json": None})
        if first.get("failed") or not first.pop("waiting", False):
            return first
        directory = self._make_tmp_path()
        upload = self._connection._shell.join_path(directory, "release.tar")  # noqa: SLF001 - Ansible's own way
        self._transfer_file(str(archive), upload)
        second: dict[str, Any] = self._execute_module(
            module_args={**arguments, "upload": upload}, task_vars=task_vars
        )
        return second
