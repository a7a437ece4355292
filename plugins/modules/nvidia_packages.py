#!/usr/bin/python
"""Installs a driver's packages; after a failure the old driver is there and the package database whole."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.rackwright import command, nvidia
from ansible.module_utils.rackwright.nvidia_transaction import Transaction, build_log, changes, missing
from ansible.module_utils.rackwright.package_install import Apt

DOCUMENTATION = r"""
---
module: nvidia_packages
short_description: Install a driver's packages, or leave everything as it was
description:
  - All in one transaction of apt, with service starts held back.
  - When it fails, new packages are removed and replaced ones brought back in their old version; then dpkg is
    asked whether it is whole. The failure's message has the lines of the DKMS log that say why.
options:
  names:
    description: Packages, as C(name), C(name=version) or C(name/suite).
    type: list
    elements: str
    required: true
  prior:
    description: Packages that are installed before apt looks for the others, such as a repository's pins.
    type: list
    elements: str
    default: []
  hold:
    description: Whether the driver's packages stay at their version from then on (C(apt-mark hold)).
    type: bool
    default: true
attributes:
  check_mode: {support: full, description: Says what is missing.}
author: [Rackwright]
"""

EXAMPLES = r"""
- name: Install the driver
  nvidia_packages:
    names: [nvidia-kernel-dkms, nvidia-smi, libcuda1]
"""

RETURN = r"""
installed: {description: Packages that were new, type: list, elements: str, returned: always}
replaced: {description: Packages of another version than before, type: list, elements: str, returned: always}
held: {description: Packages held by this run, type: list, elements: str, returned: always}
rolled_back: {description: What was done after a failure, type: dict, returned: failure}
"""


def headers_there(names: list[str]) -> set[str]:
    """Return those of the names that are kernel headers or modules and are installed."""
    kernel = [name for name in names if name.startswith(("linux-headers-", "linux-modules-"))]
    found = set()
    for name in kernel:
        answer = command.run(["dpkg-query", "-W", "-f", "${db:Status-Status}", name])
        if answer.rc == 0 and answer.stdout.strip() == "installed":
            found.add(name)
    return found


def reasons(outcome: command.Outcome) -> list[str]:
    """Return the lines that say why; asked before the way back, which takes the build's log away."""
    text = outcome.output
    log = build_log(text) if "dkms" in text.lower() or "make.log" in text else []
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return log or [line for line in lines if line.startswith(("E: ", "Error"))] or lines[-6:]


def failure(why: list[str], rolled_back: dict[str, Any]) -> str:
    """Explain a failure in the words an operator needs."""
    state = (
        "The packages are as they were before and the package database is whole"
        if rolled_back["database"] and not any(rolled_back["left"].values())
        else f"But not everything could be brought back: {rolled_back}; run `dpkg --audit` on the host"
    )
    return f"the driver's packages could not be installed: {' | '.join(why)}. {state}."


def main() -> None:
    """Run the module."""
    spec = {
        "names": {"type": "list", "elements": "str", "required": True},
        "prior": {"type": "list", "elements": "str", "default": []},
        "hold": {"type": "bool", "default": True},
    }
    module = AnsibleModule(argument_spec=spec, supports_check_mode=True)
    names, prior = module.params["names"], module.params["prior"]
    there = nvidia.ask_packages()
    wanted = missing(names, there, headers_there(names))
    early = missing(prior, there, set())
    free = [name for name, entry in there.items() if entry["want"] != "hold"] if module.params["hold"] else []
    if module.check_mode or not (wanted or early or free):
        module.exit_json(
            changed=bool(wanted or early or free),
            installed=wanted,
            replaced=[],
            held=sorted(free),
            invocation={},
        )
    apt = Apt()
    transaction = Transaction(apt)
    done: dict[str, list[str]] = {"new": [], "other": []}
    if wanted or early:
        transaction.keep_old()
        transaction.unhold()
        apt.mend()
        for group in filter(None, (early, wanted)):
            if apt.lists_stale(3600):
                apt.update()
            outcome = transaction.install(group)
            if outcome.rc != 0:
                why = reasons(outcome)
                rolled_back = transaction.roll_back()
                if module.params["hold"]:
                    transaction.hold()
                module.fail_json(
                    msg=failure(why, rolled_back),
                    rolled_back=rolled_back,
                    output=outcome.output[-4000:],
                    invocation={},
                )
        done = changes(transaction.before, nvidia.ask_packages())
    held = transaction.hold() if module.params["hold"] else []
    module.exit_json(
        changed=bool(wanted or early or held),
        installed=done["new"],
        replaced=done["other"],
        held=held,
        reboot_file=Path("/run/reboot-required").exists(),
        invocation={},
    )


if __name__ == "__main__":
    main()
