"""Keep one container running: the half that runs on the host."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.rackwright.docker_cli import Container, Docker
from ansible.module_utils.rackwright.service_files import stale_files, wanted_files, write_files
from ansible.module_utils.rackwright.verified import Watch

DOCUMENTATION = r"""
---
module: container_service
short_description: Keep one container running as defined
description:
  - Runs one container under Docker Compose. The image is pinned by its content, ports are published only on
    the addresses given, all capabilities are dropped, memory, CPUs, processes and logs are limited, and
    Docker brings the container back after a crash or a reboot.
  - Nothing is touched as long as the container runs, is healthy and was made from this very definition.
  - The action of the same name checks the definition on the control node; docs/containers.md lists what a
    definition may hold.
options:
  name: {description: Name of the container and of its compose project., type: str, required: true}
  state:
    description: V(absent) removes the container and its files, never its volumes or its image.
    type: str
    choices: [present, absent]
    default: present
  wait_seconds: {description: How long the container may take to be healthy., type: int, default: 180}
  directory: {description: Where the files are; set by the action., type: path, required: true}
  compose: {description: Text of compose.yaml; set by the action., type: str}
  revision: {description: Fingerprint of the definition; set by the action., type: str}
  image:
    description: The image; reduced by the action to what the host must know.
    type: dict
    suboptions:
      reference: {description: Id of the image or pinned name in a registry., type: str, required: true}
      image_id: {description: Id of the image., type: str}
      archive: {description: Archive on the host that the image is loaded from., type: path}
  secret_environment: {description: Written to secret.env., type: dict, default: {}}
  secrets: {description: File name to content., type: dict, default: {}}
  secret_owner: {description: "`uid:gid` that the secret files belong to.", type: str, default: "0:0"}
author: Rackwright
"""

EXAMPLES = r"""
- name: Keep the echo service running
  container_service:
    name: echo
    image: {name: "echo:1", archive: /var/lib/rackwright/images/echo.tar, image_id: "{{ echo_image_id }}"}
    definition:
      command: [echo-server, --key-file, /run/secrets/key]
      secrets: {key: "{{ vault_echo_key }}"}
      user: "60700:60700"
      ports: [{address: 10.77.20.11, port: 9000, container_port: 9000}]
      healthcheck: {command: [echo-client, --check]}
      memory_mb: 64
      cpus: 0.5
"""

RETURN = r"""
name: {description: Name of the container., returned: always, type: str}
seconds:
  description: How long it took till the container was healthy; 0 when nothing was done.
  returned: always
  type: float
reasons:
  description: Why the container was made anew or started; empty when nothing had to be done.
  returned: always
  type: list
  elements: str
  sample: ["the definition changed"]
"""


def reasons_for(params: dict[str, Any], found: Container | None) -> list[str]:
    """Say why the container has to be made or started; nothing when it is as defined.

    Args:
        params: The module's parameters.
        found: The container of that name, if there is one.
    """
    if found is None:
        return ["the container is missing"]
    reasons = []
    if found.revision != params["revision"]:
        reasons.append("the definition changed")
    expected = params["image"]["image_id"]
    if expected is not None and found.image_id != expected:
        reasons.append(f"it runs the image {found.image_id}")
    if found.status != "running":
        reasons.append(f"it is {found.status}")
    if found.health == "unhealthy":
        reasons.append("it is unhealthy")
    if any(not file.is_right() for file in wanted_files(params)) or stale_files(params):
        reasons.append("its files differ")
    return reasons


def present(module: AnsibleModule, docker: Docker) -> dict[str, Any]:
    """Have the container run as defined."""
    params = module.params
    compose = Path(params["directory"]) / "compose.yaml"
    before = compose.read_text(encoding="utf-8") if compose.is_file() else ""
    diff = {
        "before": before,
        "after": params["compose"],
        "before_header": str(compose),
        "after_header": str(compose),
    }
    found, unasked = docker.look(params["name"])
    if unasked:
        if not module.check_mode:
            docker.fail("Docker is needed", unasked)
        return {"changed": True, "reasons": [unasked], "diff": diff}
    reasons = reasons_for(params, found)
    if not module.check_mode:
        if reasons:
            docker.bring_image(params["image"])
            write_files(params)
        if reasons or (found is not None and found.health == "starting"):
            # A container that is stuck is not helped by being started again.
            stuck = found is not None and (
                found.health == "unhealthy" or found.status not in ("running", "created", "exited")
            )
            docker.up(params, anew=stuck)
    starting = found is not None and found.health == "starting"
    return {"changed": bool(reasons), "reasons": reasons, "diff": diff, "starting": starting}


def absent(module: AnsibleModule, docker: Docker) -> dict[str, Any]:
    """Remove the container and its files; volumes and images stay."""
    name, directory = module.params["name"], Path(module.params["directory"])
    reasons = ["its files are there"] if directory.exists() else []
    found, unasked = docker.look(name)
    if docker.program is not None and unasked and not module.check_mode:
        docker.fail("Docker is needed to remove the container", unasked)
    if found is not None:
        reasons.append("the container is there")
    if reasons and not module.check_mode:
        if not unasked:
            docker.must("compose", "--project-name", name, "down", purpose="the container cannot be removed")
        shutil.rmtree(directory, ignore_errors=True)
    return {"changed": bool(reasons), "reasons": reasons}


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "wait_seconds": {"type": "int", "default": 180},
            "directory": {"type": "path", "required": True},
            "compose": {"type": "str"},
            "revision": {"type": "str"},
            "image": {
                "type": "dict",
                "options": {
                    "reference": {"type": "str", "required": True},
                    "image_id": {"type": "str"},
                    "archive": {"type": "path"},
                },
            },
            "secret_environment": {"type": "dict", "default": {}, "no_log": True},
            "secrets": {"type": "dict", "default": {}, "no_log": True},
            "secret_owner": {"type": "str", "default": "0:0", "no_log": False},
        },
        required_if=[("state", "present", ("compose", "revision", "image"))],
        supports_check_mode=True,
    )
    docker = Docker(module)
    began = time.monotonic()
    watch = Watch(module, {"trees": [module.params["directory"]], "containers": [module.params["name"]]})
    try:
        result = absent(module, docker) if module.params["state"] == "absent" else present(module, docker)
    except OSError as error:
        module.fail_json(msg=f"container_service {module.params['name']}: {error}")
    done = result["changed"] and not module.check_mode
    seconds = round(time.monotonic() - began, 2) if done else 0.0
    result |= {"name": module.params["name"], "seconds": seconds}
    # One that is still starting is waited for in every run.
    if not result.pop("starting", False):
        watch.keep(result, with_arguments=True)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
