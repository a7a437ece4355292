#!/usr/bin/python
"""Bring a bundle onto the host that serves it: the half that runs there."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.rackwright.artifact_files import make_directories
from ansible.module_utils.rackwright.bundle_tree import Bundle, TreeError
from ansible.module_utils.rackwright.verified import Watch

DOCUMENTATION = r"""
---
module: bundle_store
short_description: Bring a bundle onto the host that serves it
description:
  - Checks the bundle's signature on the control node, then brings what the host lacks of it and makes the
    tree of names.
  - Contents that are there already are not sent again, so another version of a bundle costs what changed;
    a copy that was cut goes on where it was.
  - Each content is checked against its SHA-256 on the host. The tree of names is changed as a whole.
options:
  bundle: {description: The bundle on the control node., type: path, required: true}
  signer: {description: Fingerprint of the key that the site trusts., type: str, required: true}
  directory: {description: Where the bundle is on the host., type: path, required: true}
  medium: {description: "A directory of the host with a copy of the bundle, such as a disk.", type: path}
  prune: {description: Whether contents of earlier versions are removed., type: bool, default: true}
  digest: {description: Of the manifest; set by the action., type: str}
  files: {description: Of the manifest; set by the action., type: list, elements: dict}
  signatures: {description: By path; set by the action., type: dict}
  sent: {description: Whether everything has been sent; set by the action., type: bool, default: false}
author: Rackwright
"""

EXAMPLES = r"""
- name: Bring the bundle
  bundle_store:
    bundle: /srv/bundle
    signer: 0123456789ABCDEF0123456789ABCDEF01234567
    directory: /srv/rackwright-bundle
"""

RETURN = r"""
digest:
  description: Of the manifest whose files are served.
  returned: always
  type: str
brought:
  description: Contents and bytes that were missing.
  returned: always
  type: dict
  sample: {files: 12, bytes: 4000000}
"""

# Room that is left for the host itself, of bytes.
RESERVE = 1 << 30


def ensure(module: AnsibleModule, bundle: Bundle) -> dict[str, Any]:
    """Say what is missing; once that has come, make the tree."""
    files, digest = module.params["files"], module.params["digest"]
    missing = bundle.missing(files)
    brought = {"files": len(missing), "bytes": sum(missing.values())}
    result: dict[str, Any] = {"changed": False, "digest": digest, "brought": brought, "waiting": {}}
    if not missing and bundle.current() == digest:
        return result
    result["changed"] = True
    if module.check_mode:
        return result
    make_directories(bundle.root)
    free = shutil.disk_usage(bundle.root).free - RESERVE
    if brought["bytes"] > free:
        raise TreeError(
            f"{bundle.root}: {brought['bytes'] >> 20} MiB are needed, {max(free, 0) >> 20} MiB are free; "
            "put bundle_mirror_directory on a larger disk"
        )
    if module.params["medium"] and missing:
        bundle.take_from(Path(module.params["medium"]), missing)
    waiting = bundle.arrived(missing)
    if waiting and module.params["sent"]:
        raise TreeError(f"{len(waiting)} contents did not arrive whole; run it again, it goes on there")
    if waiting:
        make_directories(bundle.incoming)
        result["waiting"] = waiting
        return result
    bundle.link(files, module.params["signatures"], digest)
    if module.params["prune"]:
        result["pruned"] = bundle.prune(files)
    return result


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "directory": {"type": "path", "required": True},
            "medium": {"type": "path"},
            "prune": {"type": "bool", "default": True},
            "digest": {"type": "str"},
            "files": {"type": "list", "elements": "dict"},
            "signatures": {"type": "dict"},
            "sent": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    bundle = Bundle(Path(module.params["directory"]))
    watch = Watch(module, {"paths": [str(bundle.stamp)], "trees": [str(bundle.tree)]})
    try:
        result = ensure(module, bundle)
    except (TreeError, OSError) as error:
        module.fail_json(msg=f"bundle_store: {error}", invocation={})
    if not result["waiting"]:
        watch.keep(result)
    # Its arguments are the whole manifest; nobody wants to read them.
    module.exit_json(**result, invocation={})


if __name__ == "__main__":
    main()
