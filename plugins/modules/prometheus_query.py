#!/usr/bin/python
# Copyright: Rackwright contributors
# SPDX-License-Identifier: Apache-2.0
"""Asks Prometheus for what it has measured, from the host that it runs on."""

from __future__ import annotations

import json
import ssl
import time
import urllib.error
import urllib.parse
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from ansible.module_utils.rackwright import lean

DOCUMENTATION = r"""
module: prometheus_query
short_description: Ask Prometheus what it has measured
description:
  - One that is refused, or an absent Prometheus, fails nothing; its answer has C(error). Nothing is changed.
options:
  url:
    description: Where Prometheus answers, e.g. C(https://10.0.40.11:9090).
    type: str
    required: true
  queries:
    description: What to ask.
    type: list
    elements: dict
    required: true
    suboptions:
      name: {description: What the answer is found under., type: str, required: true}
      expr: {description: PromQL., type: str, required: true}
      hours: {description: How far back; 0 asks for now., type: int, default: 0}
      points: {description: How many values a range has., type: int, default: 120}
  ca_path:
    description: The authority that its certificate is verified with.
    type: str
    default: /etc/rackwright/tls/ca.pem
  tls_directory:
    description: Directory with C(cert.pem) and C(key.pem) that are shown to it, where they are.
    type: str
    default: /etc/rackwright/tls/prometheus
  timeout:
    description: How long one question may take, in seconds.
    type: float
    default: 20
attributes:
  check_mode: {support: full}
  diff_mode: {support: none}
"""

EXAMPLES = r"""
- name: Ask how full the disks were in the last week
  prometheus_query:
    url: https://10.0.40.11:9090
    queries:
      - {name: disks, expr: "node_filesystem_avail_bytes", hours: 168}
"""

RETURN = r"""
answers:
  description: By the query's name, C(result) as Prometheus gives it, or C(error).
  returned: always
  type: dict
"""

QUERY = {
    "name": {"type": "str", "required": True},
    "expr": {"type": "str", "required": True},
    "hours": {"type": "int", "default": 0},
    "points": {"type": "int", "default": 120},
}


def context_of(ca_path: str, tls_directory: str) -> ssl.SSLContext:
    """What verifies Prometheus, and shows it our certificate."""
    context = ssl.create_default_context(cafile=ca_path if Path(ca_path).is_file() else None)
    certificate, key = Path(tls_directory) / "cert.pem", Path(tls_directory) / "key.pem"
    if certificate.is_file() and key.is_file():
        context.load_cert_chain(certificate, key)
    return context


def ask(url: str, query: dict[str, Any], context: ssl.SSLContext | None, timeout: float) -> dict[str, Any]:
    """Asks once; never raises."""
    fields, path = {"query": query["expr"]}, "query"
    if query["hours"]:
        end = int(time.time())
        seconds = query["hours"] * 3600
        step = max(15, seconds // max(1, query["points"]))
        # On the step's own grid, so that two questions of one run have the same times.
        end -= end % step
        fields |= {"start": str(end - seconds), "end": str(end), "step": str(step)}
        path = "query_range"
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
    )
    data = urllib.parse.urlencode(fields).encode()
    try:
        with opener.open(f"{url}/api/v1/{path}", data, timeout=timeout) as answer:
            said = json.load(answer)
    except urllib.error.HTTPError as error:
        return {"error": refusal(error)}
    except (OSError, ValueError) as error:
        return {"error": str(error) or type(error).__name__}
    if said.get("status") != "success":
        return {"error": str(said.get("error") or said)}
    return {"result": said["data"]["result"]}


def refusal(error: urllib.error.HTTPError) -> str:
    """What Prometheus says of a query that it refuses."""
    try:
        return str(json.load(error).get("error"))
    except (OSError, ValueError, AttributeError):
        return f"{error.code} {error.reason}"


def main() -> None:
    """The module's entry point."""
    module = lean.Module(
        {
            "url": {"type": "str", "required": True},
            "queries": {"type": "list", "elements": "dict", "required": True, "options": QUERY},
            "ca_path": {"type": "str", "default": "/etc/rackwright/tls/ca.pem"},
            "tls_directory": {"type": "str", "default": "/etc/rackwright/tls/prometheus"},
            "timeout": {"type": "float", "default": 20.0},
        }
    )
    given = module.params
    try:
        secure = given["url"].startswith("https")
        context = context_of(given["ca_path"], given["tls_directory"]) if secure else None
    except OSError as error:
        module.fail_json(msg=f"{given['tls_directory']}: {error}")
    with ThreadPoolExecutor(max_workers=4) as pool:
        answers = pool.map(
            lambda query: ask(given["url"], query, context, given["timeout"]), given["queries"]
        )
    names = [query["name"] for query in given["queries"]]
    module.exit_json(changed=False, answers=dict(zip(names, answers, strict=True)))


if __name__ == "__main__":
    main()
