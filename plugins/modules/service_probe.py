#!/usr/bin/python
# Copyright: Rackwright contributors
# SPDX-License-Identifier: Apache-2.0
"""Asks services how they are, each through its own interface, from the host they run on."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ansible.module_utils.rackwright import lean
from ansible.module_utils.rackwright.probe_kinds import (
    KINDS,
    Answer,
    Context,
    ProbeError,
    ask_container,
    unit_state,
)

DOCUMENTATION = r"""
module: service_probe
short_description: Ask services how they are, through their own interfaces
description:
  - Takes the checks of C(host_plan.health) and asks all services at once. It changes nothing and runs in
    check mode too.
  - The task fails only when O(fail) is set and a service is not well; otherwise the answers say so.
options:
  checks:
    description: What to ask.
    type: list
    elements: dict
    required: true
    suboptions:
      service: {description: Name in the catalogue., type: str, required: true}
      kind:
        description: The interface.
        type: str
        required: true
        choices: [tcp, http, https, postgresql, mariadb, mongodb, redis, container, jobs, unit]
      address:
        description: Address to connect to; all kinds but container, jobs and unit need it.
        type: str
      port: {description: Port to connect to; all kinds but container, jobs and unit need it., type: int}
      path: {description: Path of the request (http and https)., type: str, default: /}
      status: {description: Status that proves health., type: int, default: 200}
      contains: {description: Text that the page must have., type: str}
      host: {description: Name for the request and the certificate; without it the address., type: str}
      client_certificate:
        description: Service of this host whose certificate is shown (https); the server asks callers for one.
        type: str
      unit: {description: Systemd unit that must be active as well., type: str}
      container: {description: Container that must run and be healthy as well., type: str}
      model: {description: Model of an engine that must make a token as well (http)., type: str}
      embedding: {description: Whether that model makes embeddings instead., type: bool, default: false}
      actions: {description: Which jobs of the host (jobs)., type: list, elements: str}
  ca_path:
    description: The authority that certificates are verified with.
    type: str
    default: /etc/rackwright/tls/ca.pem
  edge_certificate:
    description: File of the certificate that the edge serves by public names when it is not the authority's.
    type: str
  redis_username:
    description: Account for C(redis).
    type: str
  redis_password:
    description: Its password. Without it a server that asks for an account counts as well.
    type: str
  model_key:
    description: Key that engines ask for.
    type: str
  timeout:
    description: How long one question may take, in seconds.
    type: float
    default: 5
  tries:
    description: How often a service that is not well is asked, a second apart; for what just started.
    type: int
    default: 1
  fail:
    description: Whether a service that is not well fails the task.
    type: bool
    default: false
attributes:
  check_mode: {support: full}
  diff_mode: {support: none}
"""

EXAMPLES = r"""
- name: Ask every service of this host
  service_probe:
    checks: "{{ host_plan.health }}"
    redis_username: app
    redis_password: "{{ vault_redis_app_password }}"
"""

RETURN = r"""
ok:
  description: Whether every service is well.
  returned: always
  type: bool
checks:
  description: One entry per check, in the order given.
  returned: always
  type: list
  elements: dict
  contains:
    service: {description: As given., type: str}
    kind: {description: As given., type: str}
    ok: {description: Whether it answered as it must., type: bool}
    detail: {description: What it answered, or why it is not well., type: str}
    latency_ms: {description: Time of the answer in milliseconds; null without an answer., type: float}
    unit_state: {description: "What systemd says of the unit, e.g. C(active (running))", type: str}
    certificate_days: {description: Whole days until its certificate ends; null without TLS., type: int}
"""

CHECK = {
    "client_certificate": {"type": "str"},
    "service": {"type": "str", "required": True},
    "kind": {"type": "str", "required": True, "choices": [*KINDS, "unit"]},
    "address": {"type": "str"},
    "port": {"type": "int"},
    "path": {"type": "str", "default": "/"},
    "status": {"type": "int", "default": 200},
    "contains": {"type": "str"},
    "host": {"type": "str"},
    "unit": {"type": "str"},
    "container": {"type": "str"},
    "model": {"type": "str"},
    "embedding": {"type": "bool", "default": False},
    "actions": {"type": "list", "elements": "str"},
}
NEEDED = [
    *(("kind", kind, ("address", "port")) for kind in KINDS if kind not in {"container", "jobs"}),
    ("kind", "container", ("container",)),
    ("kind", "jobs", ("actions",)),
    ("kind", "unit", ("unit",)),
]


def ask(check: dict[str, Any], context: Context) -> dict[str, Any]:
    """Asks once; never raises."""
    started = time.monotonic()
    answer, troubles, latency, state = Answer(""), [], None, None
    try:
        if check["kind"] in KINDS:
            answer = KINDS[check["kind"]](check, context)
            latency = round((time.monotonic() - started) * 1000, 1)
        if check["container"] and check["kind"] != "container":
            ask_container(check, context)
    except (ProbeError, OSError, ValueError) as error:
        troubles.append(str(error) or type(error).__name__)
    if check["unit"]:
        try:
            state = unit_state(check["unit"], context)
        except ProbeError as error:
            state = str(error)
        # What answers on the port may be somebody else.
        if not state.startswith(("active", "reloading")):
            troubles.append(f"{check['unit']} is {state}")
    return {
        "service": check["service"],
        "kind": check["kind"],
        "ok": not troubles,
        "detail": "; ".join(troubles) or answer.detail or f"{check['unit']} is {state}",
        "latency_ms": latency,
        "unit_state": state,
        "certificate_days": answer.certificate_days,
    }


def ask_until_well(check: dict[str, Any], context: Context, tries: int) -> dict[str, Any]:
    """Asks until the service is well or the tries are used up."""
    result = ask(check, context)
    for _ in range(tries - 1):
        if result["ok"]:
            break
        time.sleep(1)
        result = ask(check, context)
    return result


def main() -> None:
    """The module's entry point."""
    module = lean.Module(
        {
            "checks": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": CHECK,
                "required_if": NEEDED,
            },
            "ca_path": {"type": "str", "default": "/etc/rackwright/tls/ca.pem"},
            "edge_certificate": {"type": "str"},
            "redis_username": {"type": "str"},
            "redis_password": {"type": "str", "no_log": True},
            "model_key": {"type": "str", "no_log": True},
            "timeout": {"type": "float", "default": 5.0},
            "tries": {"type": "int", "default": 1},
            "fail": {"type": "bool", "default": False},
        }
    )
    given = module.params
    context = Context(
        given["ca_path"],
        given["timeout"],
        given["redis_username"] or "",
        given["redis_password"] or "",
        given["model_key"] or "",
        given["edge_certificate"] or "",
    )
    checks = given["checks"]
    with ThreadPoolExecutor(max_workers=max(1, min(16, len(checks)))) as pool:
        results = list(pool.map(lambda check: ask_until_well(check, context, given["tries"]), checks))
    bad = [f"{result['service']}: {result['detail']}" for result in results if not result["ok"]]
    if bad and given["fail"]:
        module.fail_json(msg="; ".join(bad), ok=False, checks=results)
    module.exit_json(changed=False, ok=not bad, checks=results)


if __name__ == "__main__":
    main()
