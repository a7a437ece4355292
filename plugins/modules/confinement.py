#!/usr/bin/python
# Copyright: Rackwright contributors
# SPDX-License-Identifier: Apache-2.0
"""Sees that services run under their AppArmor profiles, and says where the kernel has none."""

from __future__ import annotations

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.rackwright import apparmor, command

DOCUMENTATION = r"""
module: confinement
short_description: Have services run under their AppArmor profiles
description:
  - Files and units' drop-ins are there already; this looks at what the kernel does.
  - A profile that is not loaded, or in another mode, is loaded; a unit that runs under another, or under
    none, is started anew; one of ours that is wanted no more is unloaded, and what ran under it goes on
    without.
  - Where the kernel has no AppArmor nothing is done, and a warning says so.
options:
  profiles:
    description: Those that are wanted; all others whose name begins with C(rackwright.) are not.
    type: list
    elements: dict
    required: true
    suboptions:
      service: {description: Its name in the catalogue., type: str, required: true}
      profile: {description: The profile's name., type: str, required: true}
      path: {description: Where the profile is., type: path, required: true}
      units: {description: Units that run under it., type: list, elements: str, required: true}
      mode: {description: How it is loaded., type: str, choices: [complain, enforce], required: true}
attributes:
  check_mode: {support: full}
  diff_mode: {support: none}
"""

EXAMPLES = r"""
- name: See that Redis runs under its profile
  confinement:
    profiles:
      - service: redis
        profile: rackwright.redis
        path: /etc/apparmor.d/rackwright.redis
        units: [redis-server.service]
        mode: enforce
"""

RETURN = r"""
lacking:
  description: Why this host can have no profiles; empty when it can.
  returned: always
  type: str
loaded:
  description: Profiles that were loaded.
  returned: always
  type: list
  elements: str
unloaded:
  description: Profiles that were taken out of the kernel.
  returned: always
  type: list
  elements: str
restarted:
  description: Units that were started anew.
  returned: always
  type: list
  elements: str
"""

_OWN = "rackwright."


class Confinement:
    """One call."""

    def __init__(self, module: AnsibleModule) -> None:
        self.module = module
        self.wanted = {entry["profile"]: entry for entry in module.params["profiles"]}
        self.done: dict[str, list[str]] = {"loaded": [], "unloaded": [], "restarted": []}

    def run(self) -> None:
        """Load, start anew and unload what is another than it should be."""
        there = apparmor.loaded()
        for name, entry in self.wanted.items():
            if there.get(name) != entry["mode"]:
                self._load(name, entry["path"])
        for running in self._strays():
            self._restart(running)
        for name in there:
            # Of a profile's parts the profile itself is told.
            if name.startswith(_OWN) and name not in self.wanted and "//" not in name:
                self.done["unloaded"].append(name)
                if not self.module.check_mode:
                    apparmor.unload(name)

    def _strays(self) -> list[apparmor.Running]:
        """Return the units that run under another profile than theirs."""
        found = []
        for name, entry in self.wanted.items():
            found += [unit for unit in apparmor.running(entry["units"]) if unit.profile != name]
        return found

    def _load(self, name: str, path: str) -> None:
        self.done["loaded"].append(name)
        if self.module.check_mode:
            return
        outcome = command.run(["apparmor_parser", "--replace", "--write-cache", path])
        if outcome.rc != 0:
            self._fail(f"{path} cannot be loaded: {outcome.output}")

    def _restart(self, stray: apparmor.Running) -> None:
        if not self.done["restarted"] and not self.module.check_mode:
            # A drop-in that systemd has not read yet would be passed over.
            command.run(["systemctl", "daemon-reload"])
        self.done["restarted"].append(stray.unit)
        if self.module.check_mode:
            return
        outcome = command.run(["systemctl", "try-restart", "--", stray.unit])
        if outcome.rc != 0:
            told = "journalctl -k or /var/log/audit/audit.log say what it was denied"
            self._fail(f"{stray.unit} does not start under its profile: {outcome.output}; {told}")
        left = [unit for unit in self._strays() if unit.unit == stray.unit]
        if left:
            told = f"systemctl cat {stray.unit} must show AppArmorProfile="
            self._fail(f"{stray.unit} runs under {left[0].profile} still; {told}")

    def _fail(self, message: str) -> None:
        self.module.fail_json(msg=message, changed=any(self.done.values()), lacking="", **self.done)


def main() -> None:
    """The module's entry point."""
    text = {"type": "str", "required": True}
    entry: dict[str, Any] = {
        "service": text,
        "profile": text,
        "path": {"type": "path", "required": True},
        "units": {"type": "list", "elements": "str", "required": True},
        "mode": {"type": "str", "choices": ["complain", "enforce"], "required": True},
    }
    spec = {"profiles": {"type": "list", "elements": "dict", "required": True, "options": entry}}
    module = AnsibleModule(argument_spec=spec, supports_check_mode=True)
    work, lacking = Confinement(module), apparmor.lacking()
    if lacking and work.wanted:
        module.warn(
            f"no service of this host runs under an AppArmor profile: {lacking}. "
            "The profiles lie in /etc/apparmor.d; systemd's sandboxes are in force"
        )
    if not lacking:
        work.run()
    module.exit_json(changed=any(work.done.values()), lacking=lacking, **work.done)


if __name__ == "__main__":
    main()
