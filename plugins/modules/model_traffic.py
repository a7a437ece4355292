"""Lead the callers of a published port to another container of the same host, or back."""

from __future__ import annotations

import time
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.rackwright import traffic

DOCUMENTATION = r"""
---
module: model_traffic
short_description: Lead callers of a published port to another container
description:
  - With V(moved), new connections to a published port of this host reach the container O(to); those that
    exist stay where they are. With V(direct), callers meet again what is published.
  - Both are one transaction of the kernel; nothing is refused.
  - Waits until the container that is no longer called has no connections left, so that no answer is cut.
options:
  state: {description: Where callers are led., type: str, choices: [moved, direct], required: true}
  address: {description: The host's address where the port is published., type: str, required: true}
  port: {description: The port that callers use., type: int, required: true}
  to: {description: Name of the container; for V(moved)., type: str, default: ""}
  container_port: {description: Port of the server in the containers., type: int, default: 8080}
  drain: {description: Name of the container that is waited for., type: str, default: ""}
  drain_seconds: {description: How long it is waited for., type: int, default: 120}
  hold_seconds: {description: When the rule of V(moved) ends by itself., type: int, default: 1800}
author: Rackwright
"""

EXAMPLES = r"""
- name: Lead callers to the new model
  model_traffic: {state: moved, address: 10.77.20.11, port: 8080, to: llama_cpp_next, drain: llama_cpp}
"""

RETURN = r"""
left: {description: Connections that were still there when the wait ended., returned: always, type: int}
seconds: {description: How long the wait was., returned: always, type: float}
"""

_PAUSE = 0.25


def drain(params: dict[str, Any]) -> tuple[int, float]:
    """Wait until a container has no connections; return how many are left, and the seconds it took."""
    began = time.monotonic()
    found = traffic.container(params["drain"]) if params["drain"] else None
    if found is None:
        return 0, 0.0
    # A connection that was being made when the rule came is not yet seen.
    time.sleep(_PAUSE)
    while True:
        left = traffic.connections(found["pid"], params["container_port"])
        seconds = time.monotonic() - began
        if not left or seconds >= params["drain_seconds"]:
            return left, round(seconds, 2)
        time.sleep(_PAUSE)


def lead(params: dict[str, Any]) -> None:
    """Lead callers to the container."""
    found = traffic.container(params["to"])
    if found is None:
        raise traffic.TrafficError(f"no container {params['to']} runs")
    there = (found["address"], params["container_port"])
    traffic.lead(traffic.ruleset(params["address"], params["port"], *there, params["hold_seconds"]))


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["moved", "direct"], "required": True},
            "address": {"type": "str", "required": True},
            "port": {"type": "int", "required": True},
            "to": {"type": "str", "default": ""},
            "container_port": {"type": "int", "default": 8080},
            "drain": {"type": "str", "default": ""},
            "drain_seconds": {"type": "int", "default": 120},
            "hold_seconds": {"type": "int", "default": 1800},
        },
        supports_check_mode=True,
    )
    params = module.params
    was_led = traffic.led(params["port"])
    if module.check_mode:
        module.exit_json(changed=was_led == (params["state"] == "direct"), left=0, seconds=0.0)
    try:
        if params["state"] == "moved":
            lead(params)
        elif was_led:
            traffic.direct(params["port"])
    except traffic.TrafficError as error:
        module.fail_json(msg=f"model_traffic: {error}")
    left, seconds = drain(params)
    module.exit_json(changed=params["state"] == "moved" or was_led, left=left, seconds=seconds)


if __name__ == "__main__":
    main()
