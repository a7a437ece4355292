#!/usr/bin/python
# Copyright: Rackwright contributors
# SPDX-License-Identifier: Apache-2.0
"""Tries many TCP connections at once from the host it runs on, and says how each ended."""

from __future__ import annotations

import asyncio
import errno
import time
from typing import Any

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: connect_probe
short_description: Open TCP connections from a host and say how each ended
description:
  - Connects to every target, closes at once and sends nothing. It changes nothing and runs in check mode too.
options:
  targets:
    description: What to connect to.
    type: list
    elements: dict
    required: true
    suboptions:
      address: {description: IPv4 or IPv6 address or name., type: str, required: true}
      port: {description: TCP port., type: int, required: true}
  source:
    description: Address of this host to connect from; the system's choice without it.
    type: str
  timeout:
    description: How long one connection may take, in seconds.
    type: float
    default: 2
  parallel:
    description: How many connections are tried at once.
    type: int
    default: 64
attributes:
  check_mode: {support: full}
  diff_mode: {support: none}
"""

EXAMPLES = r"""
- name: Ask what this host can reach
  connect_probe:
    targets: [{address: 10.77.30.11, port: 5432}]
"""

RETURN = r"""
results:
  description: One entry per target, in the order given.
  returned: always
  type: list
  elements: dict
  contains:
    address: {description: As given., type: str}
    port: {description: As given., type: int}
    result: {description: "C(open), C(refused), C(timeout) or C(unreachable)", type: str}
    detail: {description: The system's words when it is not open., type: str}
    latency_ms: {description: Time it took, in milliseconds., type: float}
"""


def classify(error: OSError) -> str:
    """The word for an error of connect(2); what is not known counts as unreachable, its detail says more."""
    if error.errno in (errno.ECONNREFUSED, errno.ECONNRESET):
        return "refused"
    if error.errno == errno.ETIMEDOUT:
        return "timeout"
    return "unreachable"


async def attempt(target: dict[str, Any], source: str | None, limit: float) -> tuple[str, str]:
    """One connection's result and detail; never raises."""
    local = (source, 0) if source else None
    connecting = asyncio.ensure_future(
        asyncio.open_connection(target["address"], target["port"], local_addr=local)
    )
    # Not wait_for: its TimeoutError is the socket's own in Python 3.11 and another in 3.10.
    done, _ = await asyncio.wait({connecting}, timeout=limit)
    if not done:
        connecting.cancel()
        await asyncio.gather(connecting, return_exceptions=True)
        return "timeout", f"no answer within {limit:g} s"
    error = connecting.exception()
    if isinstance(error, OSError):
        return classify(error), str(error)
    if error is not None:
        return "unreachable", f"{type(error).__name__}: {error}"
    _, writer = connecting.result()
    writer.close()
    return "open", ""


async def probe_all(
    targets: list[dict[str, Any]], source: str | None, limit: float, parallel: int
) -> list[dict[str, Any]]:
    """Tries all targets, at most `parallel` at once, and keeps their order."""
    gate = asyncio.Semaphore(parallel)

    async def one(target: dict[str, Any]) -> dict[str, Any]:
        async with gate:
            started = time.monotonic()
            outcome, detail = await attempt(target, source, limit)
            taken = round((time.monotonic() - started) * 1000, 1)
        return {
            "address": target["address"],
            "port": target["port"],
            "result": outcome,
            "detail": detail,
            "latency_ms": taken,
        }

    return list(await asyncio.gather(*(one(target) for target in targets)))


def main() -> None:
    """The module's entry point."""
    module = AnsibleModule(
        argument_spec={
            "targets": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": {
                    "address": {"type": "str", "required": True},
                    "port": {"type": "int", "required": True},
                },
            },
            "source": {"type": "str"},
            "timeout": {"type": "float", "default": 2.0},
            "parallel": {"type": "int", "default": 64},
        },
        supports_check_mode=True,
    )
    given = module.params
    if given["timeout"] <= 0 or given["parallel"] < 1:
        module.fail_json(msg="connect_probe: timeout and parallel must be more than 0")
    results = asyncio.run(probe_all(given["targets"], given["source"], given["timeout"], given["parallel"]))
    module.exit_json(changed=False, results=results)


if __name__ == "__main__":
    main()
