"""Run a container to its end, once: the half that runs on the host."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.rackwright.docker_cli import LOG_LINES, Docker
from ansible.module_utils.rackwright.service_files import write_files

DOCUMENTATION = r"""
---
module: container_job
short_description: Run a container to its end, once for what it is named for
description:
  - Runs one container under Docker Compose until it ends, such as one that migrates a database. Its
    definition is that of container_service, with the same limits; it needs no health check.
  - Once it has ended well the host remembers what for, and does not run it again until that changes. A run
    that fails or is interrupted is not remembered. Its secrets are removed when it has ended.
options:
  name: {description: Name of the container and of its compose project., type: str, required: true}
  once_for:
    description: What it is run once for, such as the id of an image.
    type: str
    required: true
  seconds: {description: How long it may take., type: int, default: 600}
  directory: {description: Where its files are while it runs; set by the action., type: path, required: true}
  compose: {description: Text of compose.yaml; set by the action., type: str, required: true}
  image:
    description: The image; reduced by the action to what the host must know.
    type: dict
    required: true
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
- name: Bring the database to the image's version
  container_job:
    name: ledger-migration
    image: {name: "ledger:1", archive: /x/ledger.tar, image_id: "{{ ledger_image_id }}"}
    once_for: "{{ ledger_image_id }}"
    definition: {command: [ledger, migrate], memory_mb: 256, cpus: 1}
"""

RETURN = r"""
seconds: {description: How long it took; 0 when it was not run., returned: always, type: float}
said: {description: The last lines that it wrote., returned: when it was run, type: list, elements: str}
"""

RECORD = Path("/var/lib/rackwright/jobs-done")


def ran_for(name: str, record: Path) -> str:
    """Return what a job last ended well for; nothing when it never did."""
    try:
        return (record / name).read_text(encoding="utf-8").strip()
    except OSError:
        return ""


def run(docker: Docker, params: dict[str, Any]) -> list[str]:
    """Run the container and return the last lines that it wrote."""
    directory = params["directory"]
    docker.bring_image(params["image"])
    write_files(params)
    compose = ["compose", "--project-directory", directory, "--file", f"{directory}/compose.yaml"]
    # What a run that was cut off left behind.
    docker.run("rm", "--force", params["name"])
    began = [
        *compose,
        "run",
        "--rm",
        "--no-deps",
        "--no-TTY",
        "--quiet-pull",
        "--name",
        params["name"],
        "main",
    ]
    try:
        status, output, errors = docker.module.run_command(
            ["timeout", "--kill-after=10", str(params["seconds"]), str(docker.program), *began]
        )
    finally:
        docker.run("rm", "--force", params["name"])
        shutil.rmtree(directory, ignore_errors=True)
    lines = f"{output}\n{errors}".strip().splitlines()[-int(LOG_LINES) :]
    if status != 0:
        late = status in (124, 137)
        why = f"it took longer than {params['seconds']} s" if late else f"it ended with {status}"
        docker.fail(why, "its last lines:\n" + "\n".join(lines))
    return lines


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "once_for": {"type": "str", "required": True},
            "seconds": {"type": "int", "default": 600},
            "directory": {"type": "path", "required": True},
            "compose": {"type": "str", "required": True},
            "image": {
                "type": "dict",
                "required": True,
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
        supports_check_mode=True,
    )
    params = module.params
    if ran_for(params["name"], RECORD) == params["once_for"]:
        module.exit_json(changed=False, seconds=0.0)
    if module.check_mode:
        module.exit_json(changed=True, seconds=0.0)
    docker = Docker(module)
    if docker.program is None:
        docker.fail("Docker is needed", "Docker is not installed (role docker)")
    began = time.monotonic()
    lines = run(docker, params)
    RECORD.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = RECORD / f".{params['name']}.new"
    draft.write_text(params["once_for"] + "\n", encoding="utf-8")
    draft.replace(RECORD / params["name"])
    module.exit_json(changed=True, seconds=round(time.monotonic() - began, 2), said=lines)


if __name__ == "__main__":
    main()
