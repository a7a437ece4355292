"""Docker's command line, as far as container_service needs it."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule

REVISION_LABEL = "rackwright.revision"
PROJECT_LABEL = "com.docker.compose.project"
LOG_LINES = "30"


@dataclass(frozen=True)
class Container:
    """What Docker says of a container that exists."""

    revision: str
    project: str
    image_id: str
    status: str
    health: str


class Docker:
    """Docker's command line, as far as this module needs it."""

    def __init__(self, module: AnsibleModule) -> None:
        self.module = module
        self.program = shutil.which("docker", path=f"{os.environ.get('PATH', '')}:/usr/bin:/usr/local/bin")

    def run(self, *arguments: str) -> tuple[int, str, str]:
        """Run a command; return exit status, output and errors."""
        result: tuple[int, str, str] = self.module.run_command([str(self.program), *arguments])
        return result

    def must(self, *arguments: str, purpose: str) -> str:
        """Run a command that has to succeed."""
        status, output, errors = self.run(*arguments)
        if status != 0:
            self.fail(purpose, errors or output)
        return output

    def fail(self, purpose: str, reason: str) -> NoReturn:
        """Stop with what was tried and what Docker said."""
        who = f"container {self.module.params['name']}" if "name" in self.module.params else "containers"
        self.module.fail_json(msg=f"{who}: {purpose}: {reason.strip()}")
        raise SystemExit(1)  # fail_json does not return; this says so to readers and to the type checker

    def look(self, name: str) -> tuple[Container | None, str]:
        """Look at what runs, or last ran, under a name.

        Returns:
            The container, if there is one; and why Docker cannot be asked, or nothing.
        """
        if self.program is None:
            return None, "Docker is not installed (role docker)"
        status, output, errors = self.run("container", "inspect", name)
        if status != 0:
            return (
                None,
                "" if "no such container" in errors.lower() else f"Docker does not answer: {errors.strip()}",
            )
        found = json.loads(output)[0]
        labels = found["Config"].get("Labels") or {}
        state = found["State"]
        container = Container(
            revision=labels.get(REVISION_LABEL, ""),
            project=labels.get(PROJECT_LABEL, ""),
            image_id=found["Image"],
            status=state["Status"],
            health=(state.get("Health") or {}).get("Status", "none"),
        )
        if container.project != name:
            self.fail(
                "a container of this name exists and is not this service's",
                "remove it (docker rm) or give the service another name",
            )
        return container, ""

    def has_image(self, reference: str) -> bool:
        """Tell whether an image is on the host."""
        return self.run("image", "inspect", "--format", "{{.Id}}", reference)[0] == 0

    def bring_image(self, image: dict[str, Any]) -> None:
        """Load the image from its archive, or pull it by its digest, unless it is there."""
        reference = image["reference"]
        if self.has_image(reference):
            return
        if image["image_id"] is None:
            self.must("pull", "--quiet", reference, purpose=f"the image {reference} cannot be pulled")
            return
        archive = image["archive"]
        if archive is None or not Path(archive).is_file():
            self.fail(
                f"the image {reference} is not on the host",
                f"and its archive {archive or '(none given)'} is not either; bring it with `artifact` first",
            )
        said = self.must("load", "--input", archive, purpose=f"the image archive {archive} cannot be loaded")
        if not self.has_image(reference):
            self.fail(
                f"the archive {archive} does not hold the image {reference}",
                f"{said.strip()}; correct image_id or bring the right archive",
            )

    def up(self, params: dict[str, Any], *, anew: bool) -> None:
        """Start the container and wait until it is healthy."""
        directory = params["directory"]
        command = ["compose", "--project-directory", directory, "--file", f"{directory}/compose.yaml"]
        command += [
            "up",
            "--detach",
            "--remove-orphans",
            "--wait",
            "--wait-timeout",
            str(params["wait_seconds"]),
        ]
        if anew:
            command.append("--force-recreate")
        status, _, errors = self.run(*command)
        if status == 0:
            return
        logs = "\n".join(self.run("logs", "--tail", LOG_LINES, params["name"])[1:]).strip()
        probe = self.run("container", "inspect", "--format", "{{json .State.Health}}", params["name"])[1]
        self.fail(
            f"the container is not healthy after {params['wait_seconds']} s",
            f"{errors.strip()}\nlast health checks: {probe.strip()}\nlast lines of its log:\n{logs}",
        )
