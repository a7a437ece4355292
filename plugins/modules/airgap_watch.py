#!/usr/bin/python
"""Counts what wants to leave a host: the half that runs there."""

from __future__ import annotations

import json
import pwd
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.rackwright.airgap_rules import TABLE, readings, ruleset

DOCUMENTATION = r"""
---
module: airgap_watch
short_description: Count the packets that want to leave a host
description:
  - Loads a table of its own into the packet filter, which lets everything pass and counts what is addressed
    to the outside, before any other rule sees it; so what a firewall would drop counts as well.
  - The packets' senders are told by account, for containers by name, with destination, protocol and port.
options:
  state:
    description: C(started) counts anew, C(read) says what was counted, C(stopped) says it and ends.
    type: str
    choices: [started, read, stopped]
    required: true
  inside:
    description: Networks of the site; everything else is outside. Needed to start.
    type: list
    elements: str
    default: []
attributes:
  check_mode: {support: full, description: Nothing is loaded or removed.}
author: Rackwright
"""

EXAMPLES = r"""
- name: Count what wants to leave
  airgap_watch: {state: started, inside: [10.20.0.0/16]}
"""

RETURN = r"""
packets: {description: Packets to the outside., returned: when read, type: int}
names: {description: Of these, questions for names., returned: when read, type: int}
since: {description: "When counting began, in seconds of the epoch.", returned: when read, type: int}
seen:
  description: Who sent what where to.
  returned: when read
  type: list
  elements: dict
  sample: [{account: root, to: 192.0.2.1, protocol: udp, port: 53, packets: 2, who: root}]
"""


def run(arguments: list[str], text: str = "") -> subprocess.CompletedProcess[str]:
    """Run a program of the host."""
    return subprocess.run(arguments, input=text, capture_output=True, text=True, check=False)


def named(seen: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Give each sender its name: an account and its processes, or a container."""
    containers = _containers() if any("address" in each for each in seen) else {}
    result = []
    for each in seen:
        entry = dict(each)
        if "uid" in entry:
            uid = int(entry.pop("uid"))
            entry["account"] = _account(uid)
            entry["who"] = _processes(uid)
        else:
            address = entry.pop("address")
            entry["account"] = "container"
            entry["who"] = containers.get(address, address)
        result.append(entry)
    return sorted(result, key=lambda entry: -entry["packets"])


def _account(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _processes(uid: int) -> str:
    """Return the programs that run under an account now; those of root are too many to tell anything."""
    if uid == 0:
        return "root"
    names = set()
    for path in Path("/proc").glob("[0-9]*"):
        try:
            if path.stat().st_uid == uid:
                names.add((path / "comm").read_text(encoding="utf-8").strip())
        except OSError:
            continue
    return ", ".join(sorted(names)) or "(ended)"


def _containers() -> dict[str, str]:
    """Return Docker's containers by their addresses."""
    if shutil.which("docker") is None:
        return {}
    listed = run(["docker", "ps", "--quiet"]).stdout.split()
    if not listed:
        return {}
    found: dict[str, str] = {}
    for container in json.loads(run(["docker", "inspect", *listed]).stdout or "[]"):
        for network in container["NetworkSettings"]["Networks"].values():
            found[network["IPAddress"]] = container["Name"].lstrip("/")
    return found


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["started", "read", "stopped"], "required": True},
            "inside": {"type": "list", "elements": "str", "default": []},
        },
        supports_check_mode=True,
    )
    state = module.params["state"]
    if state == "started":
        if not module.params["inside"]:
            module.fail_json(msg="airgap_watch: inside is empty; give the networks of the site")
        if not module.check_mode:
            done = run(["nft", "-f", "-"], ruleset(module.params["inside"], int(time.time())))
            if done.returncode:
                module.fail_json(msg=f"airgap_watch: the rules were not loaded: {done.stderr.strip()}")
        module.exit_json(changed=True)
    listed = run(["nft", "--json", "list", "table", "inet", TABLE])
    if listed.returncode:
        module.fail_json(
            msg="airgap_watch: nothing counts here: it was not started, or the host was restarted"
        )
    found = readings(listed.stdout)
    found["seen"] = named(found["seen"])
    if state == "stopped" and not module.check_mode:
        run(["nft", "delete", "table", "inet", TABLE])
    module.exit_json(changed=state == "stopped", **found)


if __name__ == "__main__":
    main()
