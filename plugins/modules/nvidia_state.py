#!/usr/bin/python
"""Reads what drives the GPUs of a host, and what its packages say."""

from __future__ import annotations

import platform
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.rackwright import nvidia

DOCUMENTATION = r"""
---
module: nvidia_state
short_description: Read what drives the GPUs of a host
description:
  - One call for all that the decision about a driver needs and that a scan does not keep.
options:
  kernel:
    description: Release of the kernel in question; the running one when left out.
    type: str
attributes:
  check_mode: {support: full, description: Changes nothing.}
author: [Rackwright]
"""

EXAMPLES = r"""
- name: Ask what drives the GPUs
  nvidia_state:
  register: state
"""

RETURN = r"""
module: {description: "nouveau, nvidia or none", type: str, returned: always}
version: {description: Version of the loaded nvidia module, type: str, returned: always}
flavour: {description: "open or proprietary, of the loaded module", type: str, returned: always}
waiting: {description: Version of the module for the next start, type: str, returned: always}
kernel: {description: Release of the kernel in question, type: str, returned: always}
headers: {description: Whether its headers are there, type: bool, returned: always}
secure_boot: {description: Whether Secure Boot is on; null if unknown, type: bool, returned: always}
processes: {description: Programs that compute on the GPUs, type: list, elements: dict, returned: always}
packages: {description: "The driver's packages by name: version, state, want", type: dict, returned: always}
broken: {description: Those of them that dpkg left half-done, type: list, elements: str, returned: always}
dkms: {description: "DKMS builds: module, version, kernel, state", type: list, returned: always}
archive: {description: "Address and keyring of the host's own archive", type: dict, returned: always}
"""


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec={"kernel": {"type": "str"}}, supports_check_mode=True)
    kernel = module.params["kernel"] or platform.release()
    packages = nvidia.ask_packages()
    module.exit_json(
        changed=False,
        **nvidia.loaded_module(),
        waiting=nvidia.waiting_version(kernel),
        kernel=kernel,
        headers=Path(f"/lib/modules/{kernel}/build/Makefile").exists(),
        secure_boot=nvidia.secure_boot(),
        processes=nvidia.ask_processes(),
        packages=packages,
        broken=sorted(name for name, entry in packages.items() if entry["state"] != "installed"),
        dkms=nvidia.ask_dkms(),
        archive=nvidia.archive(),
        invocation={},
    )


if __name__ == "__main__":
    main()
