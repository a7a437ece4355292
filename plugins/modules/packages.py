#!/usr/bin/python
"""Installs the packages of many roles in one transaction."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.rackwright import file_plan, file_write, package_plan
from ansible.module_utils.rackwright.file_plan import Item
from ansible.module_utils.rackwright.package_install import Apt, is_ours, proxy_text
from ansible.module_utils.rackwright.verified import Watch

DOCUMENTATION = r"""
---
module: packages
short_description: Install the packages of many roles in one transaction
description:
  - Reads C(meta/packages.yml) of each role on the controller, takes the entry of the host's system, and
    installs
    everything that is missing in one run of apt.
  - Services are not started by their packages; P(units) starts them once their files are in place.
    A service that already runs is still restarted when its package is replaced.
  - What an interrupted run of dpkg left half-done is finished first. The lists are fetched only when
    something has to be
    installed and they are missing, older than O(max_age_seconds) or older than a file under C(/etc/apt).
  - What was ensured for a host earlier in the same run is not asked again, not even over the network.
  - Needs C(ansible_facts.host_facts), which P(host_facts) sets, as soon as O(roles) is given.
options:
  roles:
    description: Roles whose packages are to be there.
    type: list
    elements: str
    default: []
  names:
    description: Further packages, as C(name), C(name:architecture), C(name=version) or C(name/suite).
    type: list
    elements: str
    default: []
  proxy:
    description:
      - URL of the proxy through which apt fetches, kept in C(/etc/apt/apt.conf.d/00rackwright-proxy).
      - An empty value removes that file when it was written by this module; no value leaves it alone.
    type: str
  sources:
    description:
      - Where packages come from, C(sources) of the site (docs/sources.md), in the place of the host's own
        sources, which are left as they are and not read.
      - With C(apt) C(own) the host's own are read again; no value leaves alone what is there.
    type: dict
  max_age_seconds:
    description: Age in seconds from which the lists are fetched again before something is installed.
    type: int
    default: 3600
attributes:
  check_mode: {support: full, description: Asks apt what it would install.}
  diff_mode: {support: none, description: The result lists what was installed.}
author: [Rackwright]
"""

EXAMPLES = r"""
- name: Install the packages of this host's roles
  packages:
    roles: "{{ host_plan.roles }}"
    proxy: "{{ package_proxy | default('') }}"

# roles/ledger/meta/packages.yml
# debian-12: {install: [ledger-legacy]}
# ubuntu: {unsupported: "the ledger is not packaged for Ubuntu; run it on Debian"}
# default:
#   install: [ledger]
#   seed_files:
#     - {dest: /etc/ledger-common/create.conf, content: "create_main = false\n"}
"""

RETURN = r"""
installed:
  description: Packages that were installed or replaced, dependencies included.
  returned: always
  type: list
  elements: dict
  contains:
    name: {description: Name of the package, type: str}
    version: {description: Its version; missing in check mode while the lists do not know the package.,
      type: str}
    previous: {description: The version it replaces; missing for a new package., type: str}
removed:
  description: Packages that had to go, by name and version.
  returned: always
  type: list
  elements: dict
items:
  description: Every package asked for and every file written.
  returned: always
  type: list
  elements: dict
  contains:
    name: {description: The package as asked for or the path of the file, type: str}
    changed: {description: Whether it was installed or written, type: bool}
mended:
  description: Packages that an interrupted run had left half-done.
  returned: always
  type: list
  elements: str
skipped_call:
  description: Whether everything was already ensured in this run, so that the host was not asked.
  returned: always
  type: bool
"""

SPEC: dict[str, Any] = {
    "names": {"type": "list", "elements": "str", "default": []},
    # Prepared by the action plugin: dest, content, mode.
    "seed_files": {"type": "list", "elements": "dict", "default": []},
    "proxy": {"type": "str"},
    # Prepared by the action plugin: path to content.
    "sources": {"type": "dict"},
    "max_age_seconds": {"type": "int", "default": 3600},
}


class Run:
    """One call of the module."""

    def __init__(self, module: AnsibleModule, apt: Apt) -> None:
        """Read the parameters."""
        self.module = module
        self.apt = apt
        self.check = bool(module.check_mode)
        self.entries: list[dict[str, Any]] = []
        self.installed: list[dict[str, str]] = []
        self.removed: list[dict[str, str]] = []
        self.mended: list[str] = []
        self.warnings: list[str] = []

    def fail(self, message: str) -> None:
        """Stop with what was done so far."""
        changed = bool(self.installed or self.mended) or any(entry["changed"] for entry in self.entries)
        self.module.fail_json(msg=message, changed=changed, items=self.entries, invocation={})

    def write(self, dest: str, content: str, mode: int) -> None:
        """Write a file that apt or a package reads during the transaction."""
        item = Item(dest, "file", mode=mode, content=content.encode("utf-8"))
        try:
            change = file_plan.plan(item, 0, 0)
        except file_plan.PlanError as error:
            self.fail(str(error))
            return
        if change and not self.check:
            Path(dest).parent.mkdir(mode=0o755, parents=True, exist_ok=True)
            if change.rewrite:
                file_write.put_in_place(change, file_write.stage(change, file_write.staging_path(dest)))
            else:
                file_write.set_rights(change)
        self.entries.append({"name": dest, "changed": change is not None})

    def settings(self) -> None:
        """Write the proxy and the files that packages want to find."""
        proxy = self.module.params["proxy"]
        if proxy:
            self.write(str(self.apt.proxy), proxy_text(proxy), 0o644)
        elif proxy == "" and is_ours(self.apt.proxy):
            if not self.check:
                self.apt.proxy.unlink()
            self.entries.append({"name": str(self.apt.proxy), "changed": True})
        for dest in self.apt.source_files(self.module.params["sources"]):
            if not self.check:
                Path(dest).unlink()
            self.entries.append({"name": dest, "changed": True})
        for dest, content in (self.module.params["sources"] or {}).items():
            self.write(dest, content, 0o644)
        for seed in self.module.params["seed_files"]:
            self.write(seed["dest"], seed["content"], int(seed.get("mode") or "0644", 8))

    def packages(self) -> None:
        """Mend, plan and install."""
        wanted = [package_plan.parse_wanted(name) for name in self.module.params["names"]]
        before = self.apt.installed()
        if before.half_done or self.apt.interrupted():
            before = self._mend(before)
        plan = package_plan.plan(wanted, before)
        if plan.held:
            names = ", ".join(plan.held)
            self.fail(
                f"{names}: dpkg is told to hold it, yet it is to be installed; run apt-mark unhold {names}"
            )
        missing = [want.text for want in plan.missing]
        if missing and self.check:
            self._foresee(missing)
        elif missing:
            self._install(missing, before)
        self.entries += [
            {"name": text, "changed": text in missing} for text in dict.fromkeys(want.text for want in wanted)
        ]

    def _mend(self, before: package_plan.Installed) -> package_plan.Installed:
        self.mended = before.half_done or ["dpkg's database"]
        if self.check:
            return before
        with self.apt.starts_held_back():
            outcome = self.apt.mend()
        after = self.apt.installed()
        if after.half_done:
            left = ", ".join(after.half_done)
            self.fail(
                f"{left}: left half-done and cannot be finished: {package_plan.explain(outcome.output)}"
            )
        return after

    def _foresee(self, missing: list[str]) -> None:
        outcome = self.apt.install(missing, simulate=True)
        if outcome.rc == 0:
            self.installed = package_plan.simulated(outcome.stdout)
            self.removed = package_plan.simulated_removals(outcome.stdout)
            return
        self.installed = [{"name": name} for name in missing]
        # A real run fetches such lists first: what they lack says nothing.
        if not self.apt.lists_stale(self.module.params["max_age_seconds"]):
            self.warnings.append(
                f"apt cannot say yet what it would install: {package_plan.explain(outcome.output)}"
            )

    def _install(self, missing: list[str], before: package_plan.Installed) -> None:
        with self.apt.starts_held_back():
            fetched = None
            if self.apt.lists_stale(self.module.params["max_age_seconds"]):
                fetched = self.apt.update()
            outcome = self.apt.install(missing)
            if outcome.rc != 0 and fetched is None:
                fetched = self.apt.update()
                outcome = self.apt.install(missing)
        after = self.apt.installed().versions()
        old = before.versions()
        self.installed = package_plan.differing(old, after)
        self.removed = [{"name": name, "version": old[name]} for name in sorted(old) if name not in after]
        self.apt.tell_systemd(
            replaced=bool(self.removed) or any("previous" in entry for entry in self.installed)
        )
        trouble = fetched.output if fetched is not None and fetched.rc != 0 else ""
        if outcome.rc != 0:
            self.fail(package_plan.explain(f"{trouble}\n{outcome.output}"))
        if trouble:
            self.warnings.append(f"the package lists could not be fetched: {package_plan.explain(trouble)}")


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=SPEC, supports_check_mode=True)
    apt = Apt()
    run = Run(module, apt)
    looked_at = apt.looked_at()
    looked_at["paths"] += [seed["dest"] for seed in module.params["seed_files"]]
    watch = Watch(module, looked_at)
    left = apt.policy_left()
    if left and not module.check_mode:
        apt.clean_policy()
    run.settings()
    try:
        run.packages()
    except package_plan.NameRefusedError as error:
        run.fail(str(error))
    changed = left or bool(run.mended) or any(entry["changed"] for entry in run.entries)
    for warning in run.warnings:
        module.warn(warning)
    result = {
        "changed": changed,
        "installed": run.installed,
        "removed": run.removed,
        "items": run.entries,
        "mended": run.mended,
    }
    if not run.warnings:
        watch.keep(result)
    module.exit_json(**result, invocation={})


if __name__ == "__main__":
    main()
