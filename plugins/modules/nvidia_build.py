#!/usr/bin/python
"""Says whether a driver's kernel module builds on this host, before anything is replaced."""

from __future__ import annotations

from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.rackwright import command, nvidia, nvidia_build
from ansible.module_utils.rackwright.package_install import Apt

DOCUMENTATION = r"""
---
module: nvidia_build
short_description: Build a kernel module in a place of its own
description:
  - Fetches the package that apt would install and builds its module with DKMS in a directory that is removed
    afterwards.
    The host's packages, its modules and its package database are not touched.
  - What a build came to is kept; it is done again only for another package, kernel or compiler.
  - The headers of the kernel, DKMS and a compiler must be there.
options:
  package:
    description: The package with the module's source.
    type: str
    required: true
  kernel:
    description: Release of the kernel.
    type: str
    required: true
  directory:
    description: Where the verdicts are kept.
    type: path
    default: /var/lib/rackwright/nvidia/builds
  timeout:
    description: Seconds for one build.
    type: int
    default: 3600
attributes:
  check_mode: {support: partial, description: Nothing is built; an earlier verdict is given.}
author: [Rackwright]
"""

EXAMPLES = r"""
- name: See whether the module builds
  nvidia_build:
    package: nvidia-kernel-dkms
    kernel: 6.12.117+deb13-amd64
"""

RETURN = r"""
version: {description: Version of the package that apt would install, type: str, returned: always}
verdict: {description: "ok, seconds, lines (of the log), modules", type: dict, returned: always}
known: {description: "earlier, installed, built or unknown", type: str, returned: always}
"""


def installed_already(package: str, version: str, kernel: str) -> bool:
    """Whether this version is installed and its module is there for the kernel."""
    entry = nvidia.ask_packages().get(package)
    if entry is None or entry["version"] != version or entry["state"] != "installed":
        return False
    upstream = version.split("-", maxsplit=1)[0]
    return any(
        module["version"] == upstream and module["kernel"] == kernel and module["state"] == "installed"
        for module in nvidia.ask_dkms()
    )


def main() -> None:
    """Run the module."""
    spec = {
        "package": {"type": "str", "required": True},
        "kernel": {"type": "str", "required": True},
        "directory": {"type": "path", "default": "/var/lib/rackwright/nvidia/builds"},
        "timeout": {"type": "int", "default": 3600},
    }
    module = AnsibleModule(argument_spec=spec, supports_check_mode=True)
    package, kernel = module.params["package"], module.params["kernel"]
    apt = Apt()
    if not module.check_mode and apt.lists_stale(3600):
        apt.update()
    version = nvidia_build.candidate(command.run(["apt-cache", "policy", "--", package]).stdout)
    result = {"changed": False, "version": version, "invocation": {}}
    if not version:
        if module.check_mode:
            module.exit_json(**result, known="unknown", verdict={"ok": True, "lines": []})
        module.fail_json(
            msg=f"apt knows no {package}: the sources of this driver are not among the host's",
            **result,
        )
    if installed_already(package, version, kernel):
        module.exit_json(**result, known="installed", verdict={"ok": True, "lines": []})
    verdicts, compiler = nvidia_build.Verdicts(module.params["directory"]), nvidia_build.compiler()
    verdict = verdicts.get(package, version, kernel, compiler)
    if verdict is not None:
        module.exit_json(**result, known="earlier", verdict=verdict)
    if module.check_mode:
        module.exit_json(**result, known="unknown", verdict={"ok": True, "lines": []})
    if not Path(f"/lib/modules/{kernel}/build/Makefile").exists():
        module.fail_json(
            msg=f"the headers of kernel {kernel} are not there; install linux-headers-{kernel}", **result
        )
    verdict = nvidia_build.build(package, version, kernel, module.params["timeout"])
    verdicts.put(package, version, kernel, compiler, verdict)
    module.exit_json(**result, known="built", verdict=verdict)


if __name__ == "__main__":
    main()
