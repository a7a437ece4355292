#!/usr/bin/python
# Copyright: Rackwright contributors
# SPDX-License-Identifier: Apache-2.0
"""Has a program bring a running service's objects in force, unless nothing behind them was touched."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.rackwright import command
from ansible.module_utils.rackwright.verified import Watch

DOCUMENTATION = r"""
---
module: settled_by
short_description: Have a program bring a service's objects in force
description:
  - Runs a program that compares what a running service holds with files of the host, writes what differs,
    and says a line C(changed NAME) for each. It must do nothing when all is in force.
  - A call that found everything in force leaves a record. It holds as long as the files, and the container
    that the service runs in, are the same; what somebody changes within the service itself is seen when one
    of these is not, or with C(rackwright_trust_state=false).
  - In check mode the program is run with C(--check) behind its arguments. It must look, write nothing, and
    say the same lines. Where the run would write a file that it follows from, all that it brings counts as
    changed.
options:
  argv: {description: The program and its arguments; no secrets., type: list, elements: str, required: true}
  watched:
    description: Files and directories that the objects follow from, the program's own among them.
    type: list
    elements: path
    required: true
  container: {description: The container of the service., type: str, required: true}
  seconds: {description: How long the program may take., type: int, default: 300}
  foreseen:
    description: Paths that earlier tasks of a run in check mode would have written; the action gives them.
    type: list
    elements: str
    default: []
attributes:
  check_mode: {support: full}
  diff_mode: {support: none}
author: Rackwright
"""

EXAMPLES = r"""
- name: Bring users, template and policies in force
  settled_by:
    argv: [/usr/local/sbin/rackwright-elasticsearch, "https://10.0.40.11:9200", /etc/rackwright/elasticsearch]
    watched: [/etc/rackwright/elasticsearch, /usr/local/sbin/rackwright-elasticsearch]
    container: elasticsearch
"""

RETURN = r"""
unasked: {description: In check mode, why the program could not tell., returned: when it could not, type: str}
items:
  description: What was written, or would be, each C({name, changed, reason}); the reason may be empty.
  returned: always
  type: list
  elements: dict
"""

SAID = "changed "
CHECK = "--check"


def said(output: str) -> list[str]:
    """Return the names that the program says it changed."""
    return [line[len(SAID) :] for line in output.splitlines() if line.startswith(SAID)]


def told(names: list[str], reason: str = "") -> dict[str, Any]:
    """Return the result that these names make."""
    items = [{"name": name, "changed": True, "reason": reason} for name in names]
    return {"changed": bool(names), "items": items}


def foretold(params: dict[str, Any]) -> dict[str, Any]:
    """Return what a run would bring in force."""
    program = params["argv"][0]
    everything = [f"what {Path(program).name} brings"]
    trees = [path.rstrip("/") for path in params["watched"]]
    for path in params["foreseen"]:
        if any(path == tree or path.startswith(f"{tree}/") for tree in trees):
            return told(everything, f"{path} changes")
    if not Path(program).exists():
        return told(everything, "it was never brought")
    outcome = command.run([*params["argv"], CHECK], timeout=params["seconds"])
    if outcome.rc != 0:
        return {**told([]), "unasked": outcome.output[-1000:]}
    return told(said(outcome.stdout))


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "argv": {"type": "list", "elements": "str", "required": True},
            "watched": {"type": "list", "elements": "path", "required": True},
            "container": {"type": "str", "required": True},
            "seconds": {"type": "int", "default": 300},
            "foreseen": {"type": "list", "elements": "str", "default": []},
        },
        supports_check_mode=True,
    )
    params = module.params
    if module.check_mode:
        module.exit_json(**foretold(params))
    watch = Watch(module, {"trees": params["watched"], "containers": [params["container"]]})
    outcome = command.run(params["argv"], timeout=params["seconds"])
    if outcome.rc != 0:
        module.fail_json(msg=f"{params['argv'][0]} ended with {outcome.rc}: {outcome.output[-1000:]}")
    result = told(said(outcome.stdout))
    watch.keep(result)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
