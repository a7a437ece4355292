"""Run a container to its end, once: the half that runs on the control node."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from ansible.errors import AnsibleActionFail

from rackwright.containers.compose import directory, project
from rackwright.containers.definition import parse
from rackwright.errors import RackwrightError
from rackwright.remote.resident import ResidentModules
from rackwright.site.plain import plain

OPTIONS = frozenset({"name", "image", "definition", "once_for", "seconds"})
# Docker is not asked how a container is that ends by itself.
_NO_CHECK = {"healthcheck": {"command": ["true"]}}


class ActionModule(ResidentModules):
    """Checks what is said of the container, as `container_service` does; the module does the rest."""

    TRANSFERS_FILES = False
    _supports_check_mode = True

    def run(self, tmp: None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Run the task.

        Args:
            tmp: Unused; kept by Ansible for old plugins.
            task_vars: The variables of the host.

        Returns:
            The module's result.
        """
        super().run(tmp, task_vars)
        arguments: dict[str, Any] = plain(dict(self._task.args))
        unknown = sorted(set(arguments) - OPTIONS)
        if unknown or not arguments.get("once_for"):
            wrong = f"{', '.join(unknown)}: no such option" if unknown else "once_for is missing"
            raise AnsibleActionFail(f"container_job: {wrong}; write some of {', '.join(sorted(OPTIONS))}")
        once_for = str(arguments.pop("once_for"))
        seconds = int(arguments.pop("seconds", 600))
        arguments["definition"] = _NO_CHECK | dict(arguments.get("definition") or {})
        try:
            service = parse(arguments)
        except RackwrightError as error:
            raise AnsibleActionFail(str(error).replace("container_service", "container_job", 1)) from error
        made = asdict(project(service))
        parameters = {key: made[key] for key in ("compose", "secret_environment", "secrets")} | {
            "name": service.name,
            "directory": directory(service.name),
            "image": service.image.model_dump(include={"archive", "image_id"})
            | {"reference": service.image.reference},
            "secret_owner": service.definition.user or "0:0",
            "once_for": once_for,
            "seconds": seconds,
        }
        result: dict[str, Any] = self._execute_module(module_args=parameters, task_vars=task_vars)
        return result
