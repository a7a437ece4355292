"""Keep one container running: the half that runs on the control node."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from ansible.errors import AnsibleActionFail

from rackwright.containers.compose import directory, project
from rackwright.containers.definition import parse
from rackwright.errors import RackwrightError
from rackwright.remote.resident import ResidentModules
from rackwright.site.plain import plain
from rackwright.sources.images import sourced
from rackwright.sources.site import site_sources

OPTIONS = frozenset({"name", "state", "image", "definition", "wait_seconds"})


class ActionModule(ResidentModules):
    """Checks what a service says of its container and writes its compose file; the module does the rest."""

    TRANSFERS_FILES = False
    _supports_check_mode = True
    decides_here = "verified"

    def run(self, tmp: None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Run the task.

        Args:
            tmp: Unused; kept by Ansible for old plugins.
            task_vars: The variables of the host.

        Returns:
            The module's result.
        """
        super().run(tmp, task_vars)
        # What Ansible hands over carries tags, which YAML does not write.
        arguments: dict[str, Any] = plain(dict(self._task.args))
        unknown = sorted(set(arguments) - OPTIONS)
        if unknown:
            raise AnsibleActionFail(
                f"container_service: {', '.join(unknown)}: no such option; "
                f"write one of {', '.join(sorted(OPTIONS))}"
            )
        state = arguments.pop("state", "present")
        wait_seconds = arguments.pop("wait_seconds", 180)
        parameters: dict[str, Any] = {"state": state, "wait_seconds": wait_seconds}
        if state == "absent":
            name = str(arguments.get("name", ""))
            parameters |= {"name": name, "directory": directory(name)}
        else:
            try:
                arguments["image"] = sourced(arguments.get("image"), site_sources(self._templar, task_vars))
                service = parse(arguments)
            except RackwrightError as error:
                raise AnsibleActionFail(str(error)) from error
            parameters |= asdict(project(service)) | {
                "name": service.name,
                "directory": directory(service.name),
                "image": service.image.model_dump(include={"archive", "image_id"})
                | {"reference": service.image.reference},
                "secret_owner": service.definition.user or "0:0",
            }
        result: dict[str, Any] = self._execute_module(module_args=parameters, task_vars=task_vars)
        return result
