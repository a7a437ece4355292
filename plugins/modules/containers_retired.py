"""Stop and remove containers of services that a host has no more: the half that runs on the host."""

from __future__ import annotations

import fnmatch
import shutil
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.rackwright.docker_cli import Docker
from ansible.module_utils.rackwright.verified import Watch

DOCUMENTATION = r"""
---
module: containers_retired
short_description: Stop and remove containers that are not wanted any more
description:
  - Stops and removes containers of M(container_service) by patterns of their names, and the files that they
    were made from. Answers that are being written get the time that the container's definition gives them.
  - Volumes, images and what lies in directories of the host stay.
  - A container of that name that container_service did not make is left alone.
options:
  names:
    description: Names, or patterns of names such as V(vllm_*).
    type: list
    elements: str
    required: true
  keep:
    description: Names that stay, though a pattern means them.
    type: list
    elements: str
    default: []
  why: {description: What is said of each in reports., type: str, default: it is not wanted any more}
  directory:
    description: Where container_service keeps its files.
    type: path
    default: /etc/rackwright/containers
author: Rackwright
"""

EXAMPLES = r"""
- name: Remove what another engine left
  containers_retired: {names: [ollama, "fastchat-*"], why: this host has another engine}
"""

RETURN = r"""
items:
  description: The containers that were removed, each C({name, changed, reason}).
  returned: always
  type: list
  elements: dict
"""


def retired(directory: Path, names: list[str], keep: list[str]) -> list[str]:
    """Return the containers that are there and not wanted, by the files that they were made from."""
    there = sorted(path.name for path in directory.glob("*") if path.is_dir())
    return [
        name
        for name in there
        if name not in keep and any(fnmatch.fnmatchcase(name, pattern) for pattern in names)
    ]


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "names": {"type": "list", "elements": "str", "required": True},
            "keep": {"type": "list", "elements": "str", "default": []},
            "why": {"type": "str", "default": "it is not wanted any more"},
            "directory": {"type": "path", "default": "/etc/rackwright/containers"},
        },
        supports_check_mode=True,
    )
    params = module.params
    directory = Path(params["directory"])
    watch = Watch(module, {"trees": [str(directory)]})
    found = retired(directory, params["names"], params["keep"])
    if found and not module.check_mode:
        docker = Docker(module)
        for name in found:
            _, unasked = docker.look(name)
            if docker.program is not None:
                if unasked:
                    docker.fail(f"Docker is needed to remove {name}", unasked)
                docker.must("compose", "--project-name", name, "down", purpose=f"{name} cannot be removed")
            shutil.rmtree(directory / name)
    result: dict[str, Any] = {
        "changed": bool(found),
        "items": [{"name": name, "changed": True, "reason": params["why"]} for name in found],
    }
    watch.keep(result)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
