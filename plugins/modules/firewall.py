#!/usr/bin/python
# Copyright: Rackwright contributors
# SPDX-License-Identifier: Apache-2.0
"""Loads one nftables table in a transaction that takes itself back unless it is confirmed."""

from __future__ import annotations

import os
import secrets
import shutil
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.rackwright import systemd
from ansible.module_utils.rackwright.nft_listing import lasting
from ansible.module_utils.rackwright.unit_plan import UnitError
from ansible.module_utils.rackwright.verified import Watch

DOCUMENTATION = r"""
module: firewall
short_description: Keep one nftables table, with a way back
description:
  - Keeps the table C(inet rackwright) as the given text says, and no other table; it is loaded again at boot
    by a unit of its own.
  - A change is checked by nft, a timer that restores what was in force is armed, the table is replaced in
    one transaction, and only a confirmation over a B(new) connection stops the timer and makes the change
    lasting. The action plugin of the same name does both halves; a host that it loses restores itself.
  - The live table is compared with its own listing of the last confirmed change, so that a rule added by
    hand and a flushed ruleset are found and repaired. When all is as it should be C(nft) is called once and
    nothing is written.
options:
  ruleset:
    description: >-
      The file for C(nft -f). It must replace the table C(inet rackwright) as a whole and touch nothing else.
    type: str
    required: true
  unit:
    description: Text of C(rackwright-firewall.service), which loads the file at boot.
    type: str
    required: true
  ruleset_template:
    description: The role's template that O(ruleset) is rendered from; read by the action plugin.
    type: str
  unit_template:
    description: The role's template that O(unit) is rendered from; read by the action plugin.
    type: str
  rollback_seconds:
    description: How long the host waits for the confirmation, in seconds.
    type: int
    default: 45
  phase:
    description: Which half to do; set by the action plugin.
    type: str
    choices: [apply, confirm, status]
    default: apply
  token:
    description: Which change is confirmed; set by the action plugin.
    type: str
attributes:
  check_mode: {support: full}
  diff_mode: {support: full}
"""

EXAMPLES = r"""
- name: Apply the rules
  firewall:
    ruleset: "{{ lookup('template', 'etc/rackwright/firewall.nft.j2') }}"
    unit: "{{ lookup('template', 'etc/systemd/system/rackwright-firewall.service.j2') }}"
"""

RETURN = r"""
reasons:
  description: What was not as it should be.
  returned: phase apply
  type: list
  elements: str
rolled_back:
  description: Whether the host took an unconfirmed change back.
  returned: phases confirm and status, and on failure
  type: bool
"""

TABLE = ("inet", "rackwright")
REPLACE = f"table {TABLE[0]} {TABLE[1]}\ndelete table {TABLE[0]} {TABLE[1]}\n"
RULES = Path("/etc/rackwright/firewall.nft")
UNIT = Path("/etc/systemd/system/rackwright-firewall.service")
WANTED = Path("/etc/systemd/system/sysinit.target.wants/rackwright-firewall.service")
# The listing of the table right after the last confirmed change.
APPLIED = Path("/var/lib/rackwright/firewall.applied")
# A change that waits for its confirmation: rules.nft, rollback.nft, listing, token.
PENDING = Path("/var/lib/rackwright/firewall.pending")
TIMER = "rackwright-firewall-rollback"


def read(path: Path) -> str | None:
    """A file's text, or None when there is none."""
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None


def write(path: Path, text: str, mode: int) -> None:
    """Replaces a file in one step: a crash leaves the old one or the new one."""
    path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.new")
    with temporary.open("w", encoding="utf-8") as handle:
        temporary.chmod(mode)
        handle.write(text)
        handle.flush()
        os.fsync(handle.fileno())
    temporary.replace(path)


class Firewall:
    """What this host has, and the two halves of a change."""

    def __init__(self, module: AnsibleModule, nft: str) -> None:
        self.module = module
        self.nft = nft

    def run(self, *command: str, hint: str = "") -> str:
        """Runs a program; fails the task with its own words."""
        code, out, error = self.module.run_command(list(command))
        if code:
            self.module.fail_json(msg=f"{' '.join(command)}: {(error or out).strip()}{hint}", rc=code)
        return str(out)

    def live(self) -> str | None:
        """The table as the kernel has it, without packet counts; None when it is not there."""
        code, out, _ = self.module.run_command([self.nft, "-s", "list", "table", *TABLE])
        return None if code else lasting(str(out))

    def differences(self, live: str | None) -> list[str]:
        """What is not as it should be, in words; the rules' own reasons come first."""
        reasons = []
        if read(RULES) != self.module.params["ruleset"]:
            reasons.append("the rules are new" if read(RULES) is None else "the rules have changed")
        elif live is None:
            reasons.append("the table is not loaded")
        elif live != read(APPLIED):
            reasons.append("the loaded table is not what was applied: it was changed by hand or taken back")
        return reasons

    def boot_differences(self) -> list[str]:
        """What stands in the way of the rules being loaded at boot."""
        reasons = []
        if read(UNIT) != self.module.params["unit"]:
            reasons.append("the boot unit has changed")
        if not WANTED.is_symlink():
            reasons.append("the boot unit is not enabled")
        return reasons

    def settle_boot(self) -> None:
        """Writes and enables the boot unit."""
        known = UNIT.exists()
        write(UNIT, self.module.params["unit"], 0o644)
        enabled = systemd.tell_files("enable", UNIT.name)
        if enabled.rc:
            self.module.fail_json(msg=f"systemctl enable {UNIT.name}: {enabled.output}", rc=enabled.rc)
        try:
            if known:
                systemd.daemon_reload()
            else:
                systemd.daemon_reload_later()
        except UnitError as error:
            self.module.fail_json(msg=str(error))

    def timer_is_armed(self) -> bool:
        """Whether an unconfirmed change is about to be taken back."""
        code, _, _ = self.module.run_command(["systemctl", "is-active", "--quiet", f"{TIMER}.timer"])
        return bool(code == 0)

    def prepare(self, live: str | None) -> Path:
        """Writes the change and its way back aside; returns the file with the new rules."""
        rules, way_back = PENDING / "rules.nft", PENDING / "rollback.nft"
        # While a timer runs, what is loaded is itself unconfirmed: the way back stays the earlier one.
        if not (self.timer_is_armed() and way_back.exists()):
            shutil.rmtree(PENDING, ignore_errors=True)
            write(way_back, REPLACE + (live or ""), 0o600)
        write(rules, self.module.params["ruleset"], 0o600)
        return rules

    def check(self) -> None:
        """Lets nft judge the text without loading it."""
        ruleset = self.module.params["ruleset"]
        code, _, error = self.module.run_command([self.nft, "-c", "-f", "-"], data=ruleset)
        if code:
            self.module.fail_json(msg=f"nft refuses the rules, nothing was changed: {error.strip()}")

    def load(self, live: str | None) -> str:
        """Arms the way back and loads the rules; returns the token that confirms them."""
        rules = self.prepare(live)
        seconds = self.module.params["rollback_seconds"]
        if self.timer_is_armed():
            self.run("systemctl", "stop", f"{TIMER}.timer")
        # systemd-run needs a free name; a service that has failed keeps its name until it is reset.
        self.module.run_command(["systemctl", "reset-failed", f"{TIMER}.service"])
        self.run(
            *("systemd-run", "--quiet", "--collect", f"--unit={TIMER}", f"--on-active={seconds}"),
            *(
                "--description=Takes an unconfirmed firewall change back",
                "--timer-property=AccuracySec=200ms",
            ),
            *(self.nft, "-f", str(PENDING / "rollback.nft")),
            hint="; the way back could not be armed, nothing was changed",
        )
        self.run(self.nft, "-f", str(rules))
        token = secrets.token_hex(8)
        write(PENDING / "listing", self.live() or "", 0o600)
        write(PENDING / "token", token, 0o600)
        return token

    def confirm(self, token: str) -> None:
        """Makes the loaded rules lasting, unless they were taken back meanwhile."""
        if self.timer_is_armed():
            self.run("systemctl", "stop", f"{TIMER}.timer")
        listing, rules = read(PENDING / "listing"), read(PENDING / "rules.nft")
        if read(PENDING / "token") != token or rules is None or listing is None or self.live() != listing:
            self.module.fail_json(
                msg="The confirmation came too late: the host has already taken the new rules back.",
                rolled_back=True,
            )
            return
        write(RULES, rules, 0o644)
        write(APPLIED, listing, 0o600)
        shutil.rmtree(PENDING)
        # For whoever asks systemd: the unit counts as done. It loads what is loaded.
        self.run("systemctl", "start", "rackwright-firewall.service")


def difference(live: str | None, ruleset: str) -> dict[str, str]:
    """Before and after for --diff: the files, or for a change by hand the listings."""
    before, after, applied = read(RULES), ruleset, read(APPLIED)
    if before == ruleset and applied is not None:
        before, after = live, applied
    return {"before": before or "", "after": after, "before_header": str(RULES), "after_header": str(RULES)}


def apply(module: AnsibleModule, nft: str | None) -> None:
    """The first half: compare, and load with the way back armed."""
    ruleset = module.params["ruleset"]
    if nft is None:
        diff = difference(None, ruleset)
        module.exit_json(changed=True, reasons=["nftables is not installed yet"], diff=diff)
        return
    looked_at = [str(path) for path in (RULES, APPLIED, UNIT, WANTED)]
    watch = Watch(module, {"paths": looked_at, "tables": [" ".join(TABLE)]})
    firewall = Firewall(module, nft)
    live = firewall.live()
    reasons, boot = firewall.differences(live), firewall.boot_differences()
    result: dict[str, Any] = {"changed": bool(reasons or boot), "reasons": reasons + boot}
    if reasons:
        result["diff"] = difference(live, ruleset)
        firewall.check()
    if not module.check_mode:
        if boot:
            firewall.settle_boot()
        if reasons:
            result["pending"] = firewall.load(live)
    watch.keep(result)
    module.exit_json(**result)


def main() -> None:
    """The module's entry point."""
    module = AnsibleModule(
        argument_spec={
            "ruleset": {"type": "str", "required": True},
            "unit": {"type": "str", "required": True},
            "rollback_seconds": {"type": "int", "default": 45},
            "phase": {"type": "str", "choices": ["apply", "confirm", "status"], "default": "apply"},
            "token": {"type": "str", "no_log": False},
        },
        supports_check_mode=True,
    )
    nft = module.get_bin_path("nft")
    if nft is None and not module.check_mode:
        module.fail_json(msg="nft is not there: the role's packages (nftables) must be installed first")
    elif module.params["phase"] == "apply":
        apply(module, nft)
    elif nft is not None:
        firewall = Firewall(module, nft)
        if module.params["phase"] == "confirm":
            firewall.confirm(module.params["token"] or "")
            module.exit_json(changed=True, rolled_back=False)
        listing = read(PENDING / "listing")
        module.exit_json(changed=False, rolled_back=listing is None or firewall.live() != listing)


if __name__ == "__main__":
    main()
