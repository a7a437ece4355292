"""Refuse a site's bad input on the controller: the same checks as `rackwright validate`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from rackwright.site.plain import plain
from rackwright.site.validate import validate


class ActionModule(ActionBase):  # type: ignore[misc]
    """Takes no argument; reads the inventory sources of the running play again, on the controller.

    Fails with every finding in its message (variable, value, rule, hint) when there is one; warnings alone
    are shown, and pass.
    """

    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True
    _supports_diff = False

    def run(self, tmp: None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Run the checks."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        self.validate_argument_spec({})
        sources = plain((task_vars or {}).get("ansible_inventory_sources", []))
        if not sources:
            raise AnsibleActionFail("no inventory was named: write -i <inventory>, e.g. -i inventories/lab")
        # The play's own secrets, so that --ask-vault-pass serves here too.
        secrets = self._loader._vault.secrets  # noqa: SLF001 - the loader has no public way to them
        findings = validate([Path(source) for source in sources], vault_secrets=secrets or None)
        errors = [finding for finding in findings if finding.severity == "error"]
        if errors:
            text = "\n".join(f"{number}. {finding}" for number, finding in enumerate(errors, 1))
            raise AnsibleActionFail(
                f"{len(errors)} to mend in the site's input; no host has been touched.\n{text}"
            )
        warnings = [str(finding) for finding in findings]
        return result | {"changed": False} | ({"warnings": warnings} if warnings else {})
