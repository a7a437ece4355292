"""Certificates for the services of a host: keys made there, signed here by the site's authority."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible import context
from ansible.errors import AnsibleActionFail
from cryptography import x509
from pydantic import ValidationError

from rackwright.errors import RackwrightError
from rackwright.pki.authority import LEAF_DAYS, Authority, chain_pem
from rackwright.pki.issued import RENEW_DAYS, record
from rackwright.pki.location import pki_directory
from rackwright.pki.request import RequestedCertificate
from rackwright.remote.foreseen import foresee
from rackwright.remote.resident import ResidentModules

DOCUMENTATION = r"""
---
module: certificates
short_description: Certificates of a host's services from the site's own authority
description:
  - One remote call when nothing is due; two when something is (ask, install).
  - The authority is made at the first use and its key is encrypted by the passphrase.
  - Only what is due is made anew. What is not due keeps its files and their times, so no service restarts.
options:
  certificates:
    description: The certificates of this host (C(host_plan.certificates)).
    type: list
    elements: dict
    required: true
  ca_passphrase:
    description: Opens the authority's key.
    type: str
    required: true
  pki_directory:
    description: The authority's directory on the control node. When empty, C(pki) of the site's inventory.
    type: path
  directory:
    description: Where the host keeps them.
    type: path
    default: /etc/rackwright/tls
  renew_days:
    description: A certificate with less than this many days left is made anew.
    type: int
    default: 30
  valid_days:
    description: Validity of a new certificate.
    type: int
    default: 397
  metrics_directory:
    description: Where the node exporter reads text files; nothing is written when it does not exist.
    type: path
    default: /var/lib/prometheus/node-exporter
attributes:
  check_mode: {support: full}
  diff_mode: {support: full}
author: [Rackwright]
"""

EXAMPLES = r"""
- name: Give the services of this host their certificates
  certificates:
    certificates:
      - {service: nginx, group: root, addresses: [192.0.2.1], names: [api.example.internal]}
    ca_passphrase: "{{ vault_ca_passphrase }}"
"""

RETURN = r"""
ca_changed:
  description: Whether the host got, or in check mode would get, another certificate of the authority.
  returned: always
  type: bool
items:
  description: What was done for each certificate, and why.
  returned: always
  type: list
  elements: dict
  sample:
    - service: nginx
      changed: true
      reason: it expires in 12 days
      not_after: "2027-01-02T03:04:05+00:00"
      days_left: 396
"""

_SPEC: dict[str, Any] = {
    "certificates": {"type": "list", "elements": "dict", "required": True},
    "ca_passphrase": {"type": "str", "required": True, "no_log": True},
    "pki_directory": {"type": "path"},
    "directory": {"type": "path", "default": "/etc/rackwright/tls"},
    "renew_days": {"type": "int", "default": RENEW_DAYS},
    "valid_days": {"type": "int", "default": LEAF_DAYS},
    "metrics_directory": {"type": "path", "default": "/var/lib/prometheus/node-exporter"},
}


class ActionModule(ResidentModules):
    """Asks the host, signs what is due, installs it."""

    _supports_check_mode = True
    decides_here = "verified"

    def run(self, tmp: str | None = None, task_vars: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Return `changed`, `items` and, with --diff, `diff`."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        del tmp
        variables = task_vars or {}
        _, arguments = self.validate_argument_spec(_SPEC)
        try:
            wanted = _wanted(arguments["certificates"])
            authority = Authority(_directory(arguments["pki_directory"]))
            self._exchange(result, arguments, wanted, authority, variables)
        except RackwrightError as error:
            raise AnsibleActionFail(str(error)) from error
        return result

    def _exchange(
        self,
        result: dict[str, Any],
        arguments: Mapping[str, Any],
        wanted: list[RequestedCertificate],
        authority: Authority,
        variables: Mapping[str, Any],
    ) -> None:
        """Ask the host once; when something is due, sign and install it by a second call."""
        check = self._task.check_mode
        if check and not authority.exists():
            ca_pem = ""
        else:
            ca_pem = chain_pem([authority.ensure(arguments["ca_passphrase"])])
        common = {
            "ca": ca_pem,
            **{name: arguments[name] for name in ("directory", "renew_days", "metrics_directory")},
        }
        entries = [item.model_dump(mode="json") for item in wanted]
        answer = self._ask({**common, "certificates": entries}, variables)
        reports = {item["service"]: item for item in answer["certificates"]}
        signed: dict[str, x509.Certificate] = {}
        for item in wanted:
            if csr := reports[item.service].get("csr"):
                signed[item.service] = authority.sign(
                    csr, item, arguments["ca_passphrase"], arguments["valid_days"]
                )
        final = reports
        if signed:
            for entry in entries:
                if entry["service"] in signed:
                    entry["certificate"] = chain_pem([signed[entry["service"]]])
            installed = self._ask({**common, "certificates": entries}, variables)
            final = {item["service"]: item for item in installed["certificates"]}
            for service, certificate in signed.items():
                record(authority, variables["inventory_hostname"], service, certificate)
        result["changed"] = answer["changed"] or bool(signed)
        result["ca_changed"] = bool(answer.get("ca_changed"))
        result["items"] = [_item(reports[item.service], final[item.service]) for item in wanted]
        if check:
            foresee(result, variables, _foreseen(arguments["directory"], reports, result["ca_changed"]))
        changed = [f"{item['service']}: {item['reason']}" for item in result["items"] if item["changed"]]
        if self._task.diff and changed:
            result["diff"] = {"prepared": "".join(f"{line}\n" for line in changed)}

    def _ask(self, arguments: Mapping[str, Any], variables: Mapping[str, Any]) -> dict[str, Any]:
        answer: dict[str, Any] = self._execute_module(
            module_name="certificate_request", module_args=dict(arguments), task_vars=dict(variables)
        )
        if answer.get("failed") or "certificates" not in answer:
            raise AnsibleActionFail(str(answer.get("msg", "the host did not answer")), result=answer)
        return answer


def _wanted(entries: list[dict[str, Any]]) -> list[RequestedCertificate]:
    """Return the typed list; RackwrightError names the entry and the rule it breaks."""
    try:
        wanted = [RequestedCertificate.model_validate(entry) for entry in entries]
    except ValidationError as error:
        first = error.errors()[0]
        raise RackwrightError(
            f"certificates: {'.'.join(map(str, first['loc']))}: {first['msg']} (given: {first['input']!r})",
            hint="an entry is {service, owner, group, addresses: [...], names: [...]}",
        ) from error
    services = [item.service for item in wanted]
    if twice := sorted({service for service in services if services.count(service) > 1}):
        raise RackwrightError(
            f"certificates: listed twice: {', '.join(twice)}", hint="one entry for a service"
        )
    return wanted


def _directory(given: str | None) -> Path:
    """Return the authority's directory: as given, or where `rackwright pki` looks for this inventory, too."""
    if given:
        return Path(given)
    return pki_directory([Path(source) for source in context.CLIARGS.get("inventory") or ()])


def _foreseen(directory: str, reports: Mapping[str, Any], ca_changed: bool) -> dict[str, None]:
    """Return the files that a run would write or give other rights."""
    found: dict[str, None] = {f"{directory}/ca.pem": None} if ca_changed else {}
    for service, report in reports.items():
        names = ["key.pem", "cert.pem"] if report["due"] else []
        names += [text.partition(":")[0] for text in report["repaired"] if ".pem:" in text]
        found |= {f"{directory}/{service}/{name}": None for name in names}
    return found


def _item(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    reasons = [before["due"], *before["repaired"]]
    return {
        "service": before["service"],
        "changed": any(reasons),
        "reason": ", ".join(filter(None, reasons)),
        "not_after": after.get("not_after"),
        "days_left": after.get("days_left"),
    }
