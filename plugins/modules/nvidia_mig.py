#!/usr/bin/python
"""Brings the partitions of MIG into the layout that is written down."""

from __future__ import annotations

import re
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.rackwright import command, nvidia

DOCUMENTATION = r"""
---
module: nvidia_mig
short_description: Partition GPUs by MIG
description:
  - Compares each GPU's instances with the layout, and makes them anew where they differ.
  - Nothing is touched while programs compute on GPUs.
options:
  layout:
    description: One entry per GPU.
    type: list
    elements: dict
    required: true
    suboptions:
      gpu: {description: Index or UUID of the GPU, type: str, required: true}
      profiles:
        description: Profiles as C(nvidia-smi mig -lgip) names them, C(3g.40gb); none switches MIG off.
        type: list
        elements: str
        default: []
attributes:
  check_mode: {support: full, description: Says which GPUs would be partitioned anew.}
author: [Rackwright]
"""

EXAMPLES = r"""
- name: Two halves
  nvidia_mig:
    layout: [{gpu: "0", profiles: [3g.40gb, 3g.40gb]}]
"""

RETURN = r"""
gpus: {description: "For each GPU what there was, is wanted, and changed", type: list, returned: always}
"""

_INSTANCE = re.compile(r"^\|\s+\d+\s+MIG\s+(?P<profile>\S+)\s+\d+\s+\d+\s+", re.MULTILINE)


def instances(answer: str) -> list[str]:
    """Read `nvidia-smi mig -lgi`: the profiles that are there, sorted."""
    return sorted(match["profile"] for match in _INSTANCE.finditer(answer))


def present(gpu: str) -> dict[str, Any]:
    """Ask a GPU for its mode and its instances."""
    query = [
        "nvidia-smi",
        "-i",
        gpu,
        "--query-gpu=mig.mode.current,mig.mode.pending",
        "--format=csv,noheader",
    ]
    mode = command.run(query, timeout=60)
    if mode.rc != 0:
        return {"error": mode.output}
    current, _, pending = (part.strip() for part in mode.stdout.partition(","))
    listed = command.run(["nvidia-smi", "mig", "-i", gpu, "-lgi"], timeout=60)
    return {"mode": current, "pending": pending, "profiles": instances(listed.stdout)}


def steps(gpu: str, found: dict[str, Any], profiles: list[str]) -> list[list[str]]:
    """Return the calls that bring one GPU into its layout; none when it is there."""
    calls: list[list[str]] = []
    enabled = found["mode"] == "Enabled"
    if not profiles:
        if enabled or found["pending"] == "Enabled":
            calls += _cleared(gpu, found) if enabled else []
            calls.append(["nvidia-smi", "-i", gpu, "-mig", "0"])
        return calls
    if found["profiles"] == sorted(profiles) and enabled:
        return []
    if not enabled:
        calls.append(["nvidia-smi", "-i", gpu, "-mig", "1"])
    calls += _cleared(gpu, found)
    calls.append(["nvidia-smi", "mig", "-i", gpu, "-cgi", ",".join(profiles), "-C"])
    return calls


def _cleared(gpu: str, found: dict[str, Any]) -> list[list[str]]:
    if not found["profiles"]:
        return []
    return [["nvidia-smi", "mig", "-i", gpu, "-dci"], ["nvidia-smi", "mig", "-i", gpu, "-dgi"]]


def main() -> None:
    """Run the module."""
    entry = {
        "gpu": {"type": "str", "required": True},
        "profiles": {"type": "list", "elements": "str", "default": []},
    }
    spec = {"layout": {"type": "list", "elements": "dict", "options": entry, "required": True}}
    module = AnsibleModule(argument_spec=spec, supports_check_mode=True)
    report: list[dict[str, Any]] = []
    planned: list[list[str]] = []
    for wanted in module.params["layout"]:
        found = present(wanted["gpu"])
        if "error" in found:
            module.fail_json(msg=f"GPU {wanted['gpu']} does not answer: {found['error']}", gpus=report)
        calls = steps(wanted["gpu"], found, wanted["profiles"])
        planned += calls
        report.append(
            {
                "gpu": wanted["gpu"],
                "found": found["profiles"],
                "wanted": wanted["profiles"],
                "changed": bool(calls),
            }
        )
    if planned and not module.check_mode:
        busy = nvidia.ask_processes()
        if busy:
            names = ", ".join(f"{entry['name']} ({entry['pid']})" for entry in busy)
            module.fail_json(
                msg=f"GPUs are in use by {names}: stop them first, partitions cannot change under them",
                gpus=report,
            )
        for call in planned:
            outcome = command.run(call, timeout=120)
            if outcome.rc != 0:
                module.fail_json(msg=f"{' '.join(call)}: {outcome.output}", gpus=report)
    module.exit_json(changed=bool(planned), gpus=report, invocation={})


if __name__ == "__main__":
    main()
