"""Bring pinned files onto a host: the half that runs there."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.rackwright.artifact_files import (
    ArtifactError,
    Stamps,
    is_url,
    make_incoming,
    place,
    require_space,
    set_access,
    upload_path,
)
from ansible.module_utils.rackwright.verified import Watch

DOCUMENTATION = r"""
---
module: artifact
short_description: Bring pinned files onto a host
description:
  - Sees to it that files are on the host with exactly the content that their SHA-256 names.
  - A file comes from a path on the control node, or from a URL that the host itself can reach (a mirror).
  - When all files are there and right, this is one remote call. A file of the control node is streamed over
    the connection; it never travels in the arguments of a module.
  - What does not have the expected checksum is refused, and what was there before stays.
  - The checksum of a file is remembered with its size, inode and times under O(state_dir), so that a model of
    many gigabytes is not read on every run. Any change of the file changes these and has it read again.
options:
  items:
    description: The files.
    type: list
    elements: dict
    required: true
    suboptions:
      dest:
        description: Absolute path on the host. Missing parent directories are made, mode 0755.
        type: path
        required: true
      source:
        description: Absolute path on the control node, or an http(s) URL.
        type: str
        required: true
      sha256:
        description: The checksum of the content, 64 hexadecimal digits.
        type: str
        required: true
      owner:
        description: Owner of the file.
        type: str
        default: root
      group:
        description: Group of the file.
        type: str
        default: root
      mode:
        description: Mode of the file, octal.
        type: str
        default: "0644"
      member:
        description:
          - Name of one file in the source, an archive (tar, compressed or not), whose checksum
            O(items[].sha256) then is; only this file is put in place.
          - It is known again by what is remembered of it, and brought anew where nothing is.
        type: str
      ca_file:
        description: The authority on the host that the URL is checked against, instead of the system's.
        type: path
      size:
        description: Bytes of the content; set by the action for files of the control node.
        type: int
  state_dir:
    description: Where checksums are remembered and uploads arrive.
    type: path
    default: /var/lib/rackwright/artifacts
  login_user:
    description: The user of the connection, who may write the upload; set by the action.
    type: str
  uploaded:
    description: True when the uploads are in place; set by the action.
    type: bool
    default: false
author: Rackwright
"""

EXAMPLES = r"""
- name: Bring the model
  artifact:
    items:
      - dest: /var/lib/rackwright/models/small.gguf
        source: https://mirror.example.internal/models/small.gguf
        sha256: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
"""

RETURN = r"""
items:
  description: What was done for each file, in the given order.
  returned: always
  type: list
  elements: dict
  sample: [{dest: /var/lib/rackwright/models/small.gguf, changed: true, reason: "missing"}]
"""


def ensure(module: AnsibleModule, stamps: Stamps) -> dict[str, Any]:
    """Do what one call can do, and say which items wait for an upload."""
    state_dir = Path(module.params["state_dir"])
    results: list[dict[str, Any]] = []
    waiting: dict[str, str] = {}
    for index, item in enumerate(module.params["items"]):
        dest = Path(item["dest"])
        found = stamps.checksum(dest)
        right = found == item["sha256"].lower()
        reason = "" if right else ("missing" if found is None else f"another content, SHA-256 {found}")
        if right:
            if set_access(dest, item, dry=module.check_mode):
                reason = "owner, group or mode"
            if not module.check_mode:
                stamps.remember(dest, item["sha256"].lower())
        elif not is_url(item["source"]) and not module.params["uploaded"]:
            require_space(dest, 2 * (item["size"] or 0))
            waiting[str(index)] = str(upload_path(state_dir, item))
        elif not module.check_mode:
            place(item, upload_path(state_dir, item), stamps)
        results.append({"dest": str(dest), "changed": bool(reason), "reason": reason})
    if waiting and not module.check_mode:
        make_incoming(state_dir, module.params["login_user"])
    if module.params["uploaded"]:
        shutil.rmtree(state_dir / "incoming", ignore_errors=True)
    return {"changed": any(result["changed"] for result in results), "items": results, "waiting": waiting}


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "items": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": {
                    "dest": {"type": "path", "required": True},
                    "source": {"type": "str", "required": True},
                    "sha256": {"type": "str", "required": True},
                    "owner": {"type": "str", "default": "root"},
                    "group": {"type": "str", "default": "root"},
                    "mode": {"type": "str", "default": "0644"},
                    "member": {"type": "str"},
                    "ca_file": {"type": "path"},
                    "size": {"type": "int"},
                },
            },
            "state_dir": {"type": "path", "default": "/var/lib/rackwright/artifacts"},
            "login_user": {"type": "str"},
            "uploaded": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    items = module.params["items"]
    looked_at = {
        "paths": [item["dest"] for item in items],
        "users": sorted({item["owner"] for item in items}),
        "groups": sorted({item["group"] for item in items}),
    }
    watch = Watch(module, looked_at)
    try:
        result = ensure(module, Stamps(Path(module.params["state_dir"])))
    except (ArtifactError, OSError) as error:
        module.fail_json(msg=f"artifact: {error}")
    if not result["waiting"]:
        watch.keep(result)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
