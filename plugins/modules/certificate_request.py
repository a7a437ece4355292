#!/usr/bin/python
"""The remote half of the action `certificates`: looks, makes keys and requests, installs what was signed."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.rackwright.certificates import (
    DAY,
    CertificateError,
    Certificates,
    Entry,
    Report,
)
from ansible.module_utils.rackwright.command import run
from ansible.module_utils.rackwright.verified import Watch

DOCUMENTATION = r"""
---
module: certificate_request
short_description: Inspect, request and install a host's certificates
description:
  - The remote half of the C(certificates) action, which signs in between; not meant to be used alone.
  - Keys are made on the host by openssl (EC, P-256) and never leave it.
  - What is not due keeps its files and their times.
options:
  directory:
    description: Where each service has its directory with C(key.pem) and C(cert.pem).
    type: path
    default: /etc/rackwright/tls
  ca:
    description: The authority's certificate (PEM); empty only in check mode, before there is one.
    type: str
    required: true
  renew_days:
    description: A certificate with less than this many days left is due.
    type: int
    default: 30
  metrics_directory:
    description: Where the node exporter reads text files; nothing is written when it does not exist.
    type: path
    default: /var/lib/prometheus/node-exporter
  certificates:
    description: All certificates of this host.
    type: list
    elements: dict
    required: true
    suboptions:
      service: {description: Name of the service., type: str, required: true}
      owner: {description: Owner of the key., type: str, default: root}
      group:
        description: Group that may read the key, made when missing; or its number, for containers.
        type: str
        default: root
      addresses: {description: IP addresses it is for., type: list, elements: str, default: []}
      names: {description: Host names it is for., type: list, elements: str, required: true}
      client: {description: Whether it is for a client of others as well., type: bool, default: false}
      certificate: {description: The signed certificate (PEM) for the key of the call before., type: str}
attributes:
  check_mode: {support: full}
author: [Rackwright]
"""

EXAMPLES = r"""
- name: Look, and make keys and requests for what is due
  certificate_request:
    ca: "{{ lookup('file', 'pki/ca.pem') }}"
    certificates: [{service: nginx, addresses: [192.0.2.1], names: [api.example.internal]}]
"""

RETURN = r"""
ca_changed:
  description: Whether the authority's certificate on the host was, or in check mode would be, another.
  returned: always
  type: bool
certificates:
  description: For each certificate what was found and done.
  returned: always
  type: list
  elements: dict
  sample:
    - service: nginx
      due: it expires in 12 days
      repaired: ["key.pem: mode 0640"]
      csr: "-----BEGIN CERTIFICATE REQUEST-----…"
      not_after: "2027-01-02T03:04:05+00:00"
      days_left: 12
"""

_ENTRY = {
    "service": {"type": "str", "required": True},
    "owner": {"type": "str", "default": "root"},
    "group": {"type": "str", "default": "root"},
    "addresses": {"type": "list", "elements": "str", "default": []},
    "names": {"type": "list", "elements": "str", "required": True},
    "client": {"type": "bool", "default": False},
    "certificate": {"type": "str"},
}
_SPEC = {
    "directory": {"type": "path", "default": "/etc/rackwright/tls"},
    "ca": {"type": "str", "required": True},
    "renew_days": {"type": "int", "default": 30},
    "metrics_directory": {"type": "path", "default": "/var/lib/prometheus/node-exporter"},
    "certificates": {"type": "list", "elements": "dict", "options": _ENTRY, "required": True},
}


def said(service: str, report: Report) -> dict[str, Any]:
    """Return a report as the module's answer shows it."""
    answer: dict[str, Any] = {"service": service, "due": report.due, "repaired": report.repaired}
    if report.csr:
        answer["csr"] = report.csr
    if report.end is not None:
        answer["not_after"] = datetime.fromtimestamp(report.end, timezone.utc).isoformat()  # noqa: UP017 - 3.10
        answer["days_left"] = report.days_left
    return answer


def good_until(reports: Iterable[Report], renew_days: int) -> float:
    """When the first certificate is due, or has a day less to live than the answer says."""
    now = time.time()
    ends = [report.end for report in reports if report.end is not None]
    days = [now + (end - now) % DAY for end in ends]
    return float(min([now + DAY, *days, *(end - renew_days * DAY for end in ends)]))


def main() -> None:
    """Read the parameters, work, report."""
    module = AnsibleModule(argument_spec=_SPEC, supports_check_mode=True)
    given = module.params
    # Directories must be open to the services whatever the login's umask is; keys have a mode of their own.
    os.umask(0o022)
    if not module.check_mode and run(["openssl", "version"]).rc != 0:
        module.fail_json(msg="openssl does not run on this host: install the packages of the role tls first")
    host = Certificates(
        Path(given["directory"]), given["ca"], given["renew_days"], check=bool(module.check_mode)
    )
    entries = [Entry.of(item) for item in given["certificates"]]
    watch = Watch(module, host.looked_at(entries, given["metrics_directory"]))
    try:
        host.write_ca()
        ca_changed = host.changed
        reports = {item["service"]: host.bring_about(Entry.of(item)) for item in given["certificates"]}
        if not any(report.due for report in reports.values()):
            host.write_metrics(Path(given["metrics_directory"]), reports)
    except CertificateError as error:
        module.fail_json(msg=str(error))
    result = {
        "changed": host.changed,
        "ca_changed": ca_changed,
        "certificates": [said(service, report) for service, report in reports.items()],
    }
    watch.keep(result, until=good_until(reports.values(), given["renew_days"]))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
