#!/usr/bin/python
"""Brings a list of files, directories, links, accounts and kernel settings about in one call."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.rackwright import command, file_apply, file_report, kernel_settings
from ansible.module_utils.rackwright.accounts import AccountChange, account_of, gid_of, plan_group, plan_user
from ansible.module_utils.rackwright.file_plan import Item, PlanError, check_list, digest, item_from
from ansible.module_utils.rackwright.fingerprint import Subjects
from ansible.module_utils.rackwright.verified import Watch

DOCUMENTATION = r"""
---
module: managed_files
short_description: Bring a list of files, directories, links, accounts and kernel settings about in one call
description:
  - Renders every template of the list on the controller, ships everything in one call and applies it on
    the host.
  - The order is groups, users, directories (from the top down), files, links, removals, kernel settings.
  - All checkers (O(files[].validate)) are asked before the first file is touched. Each file is then
    replaced in
    one step, so that after a failure in the middle every file is either the old or the new one. Only a
    file that
    is a mount point of its own (a bind mount) is written in place.
  - A list that contradicts itself, a missing directory or an unknown owner is reported before any file is
    written.
  - In check mode missing accounts, directories and checkers are passed over, since earlier tasks would
    have made them.
options:
  groups:
    description: Groups that must exist.
    type: list
    elements: dict
    default: []
    suboptions:
      name: {description: Name of the group., type: str, required: true}
      system:
        description: Take a number of the system's range when it is created.
        type: bool
        default: false
      gid: {description: Its number., type: int}
  users:
    description: Users that must exist. Memberships are added, never taken away.
    type: list
    elements: dict
    default: []
    suboptions:
      name: {description: Name of the user., type: str, required: true}
      uid: {description: Its number., type: int}
      group: {description: Its primary group. Without it a group of the same name is created., type: str}
      groups: {description: Further groups that it must be in., type: list, elements: str, default: []}
      home: {description: Its home directory., type: str}
      shell: {description: Its login shell., type: str}
      comment: {description: Its full name; used when it is created., type: str}
      system:
        description: Take a number of the system's range when it is created.
        type: bool
        default: false
      create_home: {description: Create the home directory with the user., type: bool, default: false}
  files:
    description: Files, directories, links and removals.
    type: list
    elements: dict
    default: []
    suboptions:
      dest: {description: Absolute path on the host. Each path may be listed once., type: str, required: true}
      state:
        description: What is to be at O(files[].dest). V(absent) removes directories with everything in them.
        type: str
        choices: [file, directory, link, absent]
        default: file
      template:
        description: Template on the controller, found as the C(template) action finds it.
        type: str
      content:
        description: The text itself. One of template, content and src is given for a file.
        type: str
      src:
        description: File on the controller, found in the role's C(files), or an absolute path. May be binary.
        type: str
      target: {description: Where a link leads., type: str}
      owner: {description: Owner of a file or directory., type: str, default: root}
      group: {description: Group of a file or directory., type: str, default: root}
      mode:
        description: Mode as a quoted octal number; 0644 for files and 0755 for directories without it.
        type: str
      validate:
        description:
          - Command that approves the new content; C(%s) stands for a file beside O(files[].dest) that
            holds it.
          - It is run without a shell.
        type: str
      secret:
        description: Keep the content, and what the checker says, out of results and differences.
        type: bool
        default: false
      notify:
        description: Handlers to notify when this very entry changed.
        type: list
        elements: str
        default: []
      vars: {description: Further variables for this template., type: dict, default: {}}
  sysctl:
    description:
      - Kernel settings, kept in C(/etc/sysctl.d/60-rackwright-<sysctl_name>.conf) and set on the running
        kernel.
      - What the running kernel does not let one set, or what in a container belongs to the whole machine,
        is only kept in the file and listed in RV(not_live).
    type: dict
    default: {}
  sysctl_name:
    description: Distinguishes the file of kernel settings; required with O(sysctl).
    type: str
attributes:
  check_mode: {support: full, description: Says exactly what would change.}
  diff_mode: {support: full, description: Shows every change except of secret files.}
author: [Rackwright]
"""

EXAMPLES = r"""
- name: Write the configuration
  managed_files:
    groups: [{name: ledger, system: true}]
    users: [{name: ledger, group: ledger, home: /var/lib/ledger, shell: /usr/sbin/nologin, system: true}]
    files:
      - {dest: /etc/ledger, state: directory, group: ledger, mode: "0750"}
      - dest: /etc/ledger/ledger.conf
        template: ledger.conf.j2
        group: ledger
        mode: "0640"
        validate: ledger --check %s
        notify: [restart_ledger]
      - {dest: /etc/ledger/password, content: "{{ ledger_password }}", mode: "0600", secret: true}
      - {dest: /etc/ledger/old.conf, state: absent}
    sysctl: {net.core.somaxconn: 4096}
    sysctl_name: ledger
"""

RETURN = r"""
items:
  description: Every account, path and kernel setting of the task, with what happened to it.
  returned: always
  type: list
  elements: dict
  contains:
    dest: {description: "The path, C(user:<name>), C(group:<name>) or C(sysctl:<key>).", type: str}
    changed: {description: Whether it was changed, type: bool}
    reason: {description: What differed, type: str}
    diff: {description: The difference; only with --diff and a change., type: dict}
changed_dests:
  description: The changed paths.
  returned: always
  type: list
  elements: str
not_live:
  description: Kernel settings that were not set on the running kernel, with the reason.
  returned: always
  type: dict
"""

SPEC: dict[str, Any] = {
    "groups": {"type": "list", "elements": "dict", "default": []},
    "users": {"type": "list", "elements": "dict", "default": []},
    # Prepared by the action plugin: content rendered, defaults filled in.
    "files": {"type": "list", "elements": "dict", "default": []},
    "sysctl": {"type": "dict", "default": {}},
}


class Run:
    """One call of the module."""

    def __init__(self, module: AnsibleModule) -> None:
        """Read the parameters."""
        self.module = module
        self.check = bool(module.check_mode)
        self.items = [item_from(entry) for entry in module.params["files"]]
        self.entries: list[dict[str, Any]] = []
        self.not_live: dict[str, str] = {}

    def fail(self, message: str) -> None:
        """Stop with what was done so far."""
        changed = any(entry["changed"] for entry in self.entries)
        self.module.fail_json(msg=message, items=self.entries, changed=changed, invocation={})

    def to_fetch(self) -> list[str]:
        """The paths whose content has to be sent first: big files that differ."""
        pending = [item for item in self.items if item.content is None and item.sha256 and not item.staged]
        return [
            item.dest
            for item in pending
            if not Path(item.dest).is_file()
            or Path(item.dest).is_symlink()
            or digest(item.dest) != item.sha256
        ]

    def accounts(self) -> None:
        """Create or correct groups, then users."""
        for spec in self.module.params["groups"]:
            change = plan_group(spec, gid_of(str(spec["name"])))
            self._account(f"group:{spec['name']}", change)
        for spec in self.module.params["users"]:
            change = plan_user(spec, account_of(str(spec["name"])))
            self._account(f"user:{spec['name']}", change)

    def _account(self, label: str, change: AccountChange | None) -> None:
        for argv in change.commands if change and not self.check else ():
            outcome = command.run(list(argv))
            if outcome.rc != 0:
                self.fail(f"{label}: {argv[0]} failed: {outcome.output}")
        reason = ", ".join(change.reasons) if change else ""
        self.entries.append({"dest": label, "changed": change is not None, "reason": reason})

    def files(self) -> None:
        """Plan, check and apply all paths."""
        plan = file_apply.make_plan(self.items, check=self.check)
        if plan.problems:
            self.fail("; ".join(plan.problems))
        diff = bool(self.module._diff)  # noqa: SLF001 - modules have no public way to know
        entries = {c.item.dest: file_report.entry(c, diff=diff) for c in plan.changes}
        application = file_apply.Application(plan)
        try:
            refusals = application.rehearse() if self.check else application.carry_out()
        except OSError as error:
            self.entries += [entries[change.item.dest] for change in application.done]
            self.fail(
                f"{error.filename or 'the file system'}: {error.strerror}; every file is either old or new"
            )
        if refusals:
            self.entries += [entries[change.item.dest] for change in application.done]
            self.fail("; ".join(refusals) + "; no file was changed")
        for item in self.items:
            unchanged = {"dest": item.dest, "changed": False, "reason": ""}
            self.entries.append(entries.get(item.dest, unchanged))

    def kernel(self) -> None:
        """Set what differs on the running kernel."""
        for key, value in sorted(self.module.params["sysctl"].items()):
            try:
                setting = kernel_settings.set_live(key, str(value), check=self.check)
            except OSError as error:
                self.fail(f"{key} = {value}: the kernel refuses it ({os.strerror(error.errno or 0)})")
            if setting.obstacle:
                self.not_live[key] = setting.obstacle
                continue
            reason = f"set to {value}" if setting.changed else ""
            self.entries.append({"dest": f"sysctl:{key}", "changed": setting.changed, "reason": reason})


def subjects_of(items: list[Item], params: dict[str, Any]) -> Subjects:
    """Everything whose touch may put the list out of order."""
    owned = [item for item in items if item.state in ("file", "directory")]
    return {
        "paths": [item.dest for item in items if item.state != "directory"],
        "places": [item.dest for item in items if item.state == "directory"],
        "users": sorted({item.owner for item in owned} | {str(spec["name"]) for spec in params["users"]}),
        "groups": sorted({item.group for item in owned} | {str(spec["name"]) for spec in params["groups"]}),
        "kernel": sorted(str(kernel_settings.path_of(key)) for key in params["sysctl"]),
    }


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=SPEC, supports_check_mode=True, no_log=True)
    run = Run(module)
    watch = Watch(module, subjects_of(run.items, module.params))
    try:
        check_list(run.items)
    except PlanError as error:
        run.fail(str(error))
    needed = [] if module.check_mode else run.to_fetch()
    if needed:
        module.exit_json(changed=False, to_fetch=needed, invocation={})
    run.accounts()
    run.files()
    run.kernel()
    paths = [entry["dest"] for entry in run.entries if entry["changed"] and entry["dest"].startswith("/")]
    result = {
        "changed": any(entry["changed"] for entry in run.entries),
        "items": run.entries,
        "changed_dests": paths,
        "not_live": run.not_live,
    }
    watch.keep(result)
    module.exit_json(**result, invocation={})


if __name__ == "__main__":
    main()
