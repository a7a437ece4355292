#!/usr/bin/python
# Copyright: Rackwright contributors
# SPDX-License-Identifier: Apache-2.0
"""Asks Prometheus or Alertmanager of a host that watches, by the certificate that the host has for that."""

from __future__ import annotations

import http.client
import json
import ssl
from pathlib import Path
from typing import Any

from ansible.module_utils.rackwright import lean

DOCUMENTATION = r"""
module: monitoring_api
short_description: Ask Prometheus or Alertmanager of a host that watches
description:
  - Sends requests to their HTTP API from the host itself, and shows a certificate of the authority that
    it has. Nothing but these hosts may call them, so a control node asks in this way.
options:
  address: {description: Address that the service listens on., type: str, required: true}
  port: {description: Its port., type: int, required: true}
  requests:
    description: What is asked, one after another.
    type: list
    elements: dict
    required: true
    suboptions:
      path: {description: Path and query., type: str, required: true}
      method: {description: HTTP method., type: str, default: GET, choices: [GET, POST, DELETE]}
      body: {description: Sent as JSON., type: raw}
      form: {description: Sent as a form., type: str}
  service: {description: Whose certificate is shown., type: str, default: prometheus}
  directory: {description: Where certificates are., type: path, default: /etc/rackwright/tls}
  timeout: {description: Seconds for each answer., type: float, default: 30}
attributes:
  check_mode: {support: full}
  diff_mode: {support: none}
"""

EXAMPLES = r"""
- name: Ask which alerts there are
  monitoring_api:
    address: "{{ host_plan.listen.alertmanager.api.address }}"
    port: "{{ host_plan.listen.alertmanager.api.port }}"
    requests: [{path: /api/v2/alerts}]
"""

RETURN = r"""
answers:
  description: For each request its status and body; JSON as data.
  returned: always
  type: list
  elements: dict
  sample: [{status: 200, body: []}]
"""

REQUEST = {
    "path": {"type": "str", "required": True},
    "method": {"type": "str", "default": "GET", "choices": ["GET", "POST", "DELETE"]},
    "body": {"type": "raw"},
    "form": {"type": "str"},
}


def ask(given: dict[str, Any], wanted: dict[str, Any], trust: ssl.SSLContext) -> dict[str, Any]:
    """Send one request; return its status and what came back."""
    connection = http.client.HTTPSConnection(
        given["address"], given["port"], timeout=given["timeout"], context=trust
    )
    body, headers = wanted["form"], {"Content-Type": "application/x-www-form-urlencoded"}
    if wanted["body"] is not None:
        body, headers = json.dumps(wanted["body"]), {"Content-Type": "application/json"}
    try:
        connection.request(wanted["method"], wanted["path"], body, headers if body else {})
        answer = connection.getresponse()
        text = answer.read().decode("utf-8", "replace")
    finally:
        connection.close()
    try:
        return {"status": answer.status, "body": json.loads(text)}
    except ValueError:
        return {"status": answer.status, "body": text}


def main() -> None:
    """The module's entry point."""
    module = lean.Module(
        {
            "address": {"type": "str", "required": True},
            "port": {"type": "int", "required": True},
            "requests": {"type": "list", "elements": "dict", "required": True, "options": REQUEST},
            "service": {"type": "str", "default": "prometheus"},
            "directory": {"type": "path", "default": "/etc/rackwright/tls"},
            "timeout": {"type": "float", "default": 30.0},
        }
    )
    given = module.params
    directory = Path(given["directory"])
    own = directory / given["service"]
    try:
        trust = ssl.create_default_context(cafile=str(directory / "ca.pem"))
        trust.load_cert_chain(own / "cert.pem", own / "key.pem")
        answers = [ask(given, wanted, trust) for wanted in given["requests"]]
    except (OSError, ValueError, http.client.HTTPException) as error:
        module.fail_json(msg=f"{given['address']}:{given['port']}: {error}")
    changed = any(wanted["method"] != "GET" and wanted["form"] is None for wanted in given["requests"])
    module.exit_json(changed=changed, answers=answers)


if __name__ == "__main__":
    main()
