"""Judges what `host_preflight` saw on all hosts, tells it, and fails when a host is not ready."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

REGISTERED = "__preflight_seen"
WIDTH = 110

display = Display()


class ActionModule(ActionBase):  # type: ignore[misc]  # Ansible ships no types
    """Takes no argument; for a task with `run_once` that follows one which registers `host_preflight`.

    Where the hosts were asked with `scope: new` and all that answer were converged before, nothing is judged.
    """

    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True
    _supports_diff = False

    def run(self, tmp: None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Tell the findings."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        self.validate_argument_spec({})
        variables = task_vars or {}
        hostvars = variables["hostvars"]
        seen = {host: hostvars[host].get(REGISTERED) for host in variables["ansible_play_hosts_all"]}
        asked = {host: said for host, said in seen.items() if said and not said.get("converged")}
        if all("observations" not in said and "problem" not in said for said in asked.values()):
            return result | {"changed": False}
        return result | self._judged(asked, variables)

    def _judged(self, asked: dict[str, Any], variables: dict[str, Any]) -> dict[str, Any]:
        # Only now: a run that changes nothing does without.
        from rich.console import Console  # noqa: PLC0415

        from rackwright.errors import RackwrightError  # noqa: PLC0415
        from rackwright.preflight.judge import judge, read_answer  # noqa: PLC0415
        from rackwright.preflight.subjects import accepted, subjects_of  # noqa: PLC0415
        from rackwright.preflight.table import as_table, summary  # noqa: PLC0415
        from rackwright.site.inventory import load_inventory  # noqa: PLC0415
        from rackwright.site.plain import plain  # noqa: PLC0415

        sources = [Path(source) for source in plain(variables.get("ansible_inventory_sources", []))]
        # The play's own secrets, so that --ask-vault-pass serves here too.
        secrets = self._loader._vault.secrets or None  # noqa: SLF001 - the loader has no public way to them
        try:
            inventory = load_inventory(sources, secrets)
            answers = [read_answer(host, said) for host, said in asked.items()]
            findings = judge(subjects_of(inventory), answers, accepted(inventory))
        except RackwrightError as error:
            raise AnsibleActionFail(str(error)) from error
        closing = summary(findings, len(answers))
        page = io.StringIO()
        Console(file=page, width=WIDTH, highlight=False).print(as_table(findings))
        display.display(f"{page.getvalue()}{closing}")
        bad = any(finding.severity == "error" for finding in findings)
        told = (
            f"{closing} Nothing has been changed on any host; what to mend stands above." if bad else closing
        )
        return {"changed": False, "failed": bad, "msg": told}
