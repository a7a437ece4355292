#!/usr/bin/python
"""Brings a list of systemd units into the state asked for, and no further than needed."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.rackwright import systemd, unit_links, unit_plan, unit_start
from ansible.module_utils.rackwright.fingerprint import Subjects
from ansible.module_utils.rackwright.freshness import newest
from ansible.module_utils.rackwright.unit_plan import Step, Unit, UnitError, Wish
from ansible.module_utils.rackwright.unit_start import Port, Starts
from ansible.module_utils.rackwright.verified import Watch

DOCUMENTATION = r"""
---
module: units
short_description: Bring systemd units into the state asked for, restarting only what is older than its files
description:
  - Nothing is remembered between tasks or runs. A unit is restarted when something under
    O(items[].restart_after) was changed after it became active, and reloaded when something under
    O(items[].reload_after) was changed after its last change of state, or when its last reload failed. So no
    restart handlers are needed, an interrupted run is made good by the next, and a service is started once.
  - systemd reads its unit files again at most once, and at once only when a unit of the list needs it.
  - A unit that is passed over because a condition for its start is not met (time synchronisation in a
    container) is reported, not failed. One that fails is reported with its last journal lines.
  - A unit without an install section counts as enabled and as disabled.
options:
  items:
    description: The units, in the order in which they are dealt with.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Name of a unit; a service needs no ending. Aliases and instances will do.
        type: str
        required: true
      state:
        description:
          - V(started) also restarts or reloads what is older than its files.
          - V(restarted) and V(reloaded) do so in any case.
          - Without it the unit is left running or not.
        type: str
        choices: [started, stopped, restarted, reloaded]
      enabled: {description: Whether it is started with the system., type: bool}
      masked: {description: Whether it is made impossible to start., type: bool}
      former: {description: Of an earlier choice; it need not be there., type: bool, default: false}
      restart_after:
        description: Files and directory trees that the unit reads only at its start; those that exist.
        type: list
        elements: str
        default: []
      reload_after:
        description: Those that it reads again on reload. A unit that cannot reload is restarted.
        type: list
        elements: str
        default: []
      wait:
        description: The unit serves when something accepts connections there.
        type: dict
        suboptions:
          address: {description: Where to connect., type: str, default: 127.0.0.1}
          port: {description: TCP port., type: int, required: true}
          seconds: {description: How long to wait., type: float, default: 30}
      block:
        description: Whether its start is waited for; if not, systemd comes to it in its time.
        type: bool
        default: true
  foreseen:
    description: Paths that earlier tasks of a run in check mode would have written; set by the action.
    type: list
    elements: str
    default: []
attributes:
  check_mode: {support: full, description: "Files of the same run count as written, its packages as there."}
  diff_mode: {support: none, description: Each item says what was done and why.}
author: [Rackwright]
"""

EXAMPLES = r"""
- name: Run the ledger
  units:
    items:
      - name: ledger.service
        enabled: true
        state: started
        restart_after: [/etc/systemd/system/ledger.service.d, /etc/ledger/plugins]
        reload_after: [/etc/ledger/ledger.conf]
        wait: {address: 127.0.0.1, port: 7001, seconds: 20}
      - {name: ledger-cleanup.timer, enabled: true, state: started}
"""

RETURN = r"""
items:
  description: Every unit, in order.
  returned: always
  type: list
  elements: dict
  contains:
    name: {description: The name as asked for, type: str}
    changed: {description: Whether anything was done, type: bool}
    action: {description: "The weightiest of RV(items[].actions), or none", type: str}
    actions:
      description: "What was done: started, restarted, reloaded, stopped, enabled, disabled, masked, unmasked"
      type: list
      elements: str
    reason: {description: Why, type: str}
    condition_met: {description: "False for a unit that a condition passed over; else missing", type: bool}
seconds:
  description: How long starting, restarting or reloading each unit took, its wait included.
  returned: always
  type: dict
daemon_reload:
  description: Whether systemd read (in check mode, would read) its unit files again.
  returned: always
  type: bool
"""

_WAIT = {
    "address": {"type": "str", "default": "127.0.0.1"},
    "port": {"type": "int", "required": True},
    "seconds": {"type": "float", "default": 30.0},
}
SPEC: dict[str, Any] = {
    "items": {
        "type": "list",
        "elements": "dict",
        "required": True,
        "options": {
            "name": {"type": "str", "required": True},
            "state": {"type": "str", "choices": ["started", "stopped", "restarted", "reloaded"]},
            "enabled": {"type": "bool"},
            "masked": {"type": "bool"},
            "former": {"type": "bool", "default": False},
            "restart_after": {"type": "list", "elements": "str", "default": []},
            "reload_after": {"type": "list", "elements": "str", "default": []},
            "wait": {"type": "dict", "options": _WAIT},
            "block": {"type": "bool", "default": True},
        },
    },
    "foreseen": {"type": "list", "elements": "str", "default": []},
}
_PASSED_OVER = {"reason": "a condition for its start is not met", "condition_met": False}


class Run:
    """One call of the module."""

    def __init__(self, module: AnsibleModule) -> None:
        """Read the parameters."""
        self.module = module
        self.check = bool(module.check_mode)
        self.specs: list[dict[str, Any]] = module.params["items"]
        self.wishes = [Wish(*(spec[key] for key in unit_plan.WISHED)) for spec in self.specs]
        self.units: list[Unit] = []
        self.entries: list[dict[str, Any]] = []
        self.seconds: dict[str, float] = {}
        self.daemon_reload = False
        self.acted = False
        self.starts = Starts()

    def look(self) -> None:
        """Ask for all units, enable what is to be enabled, and let systemd read its unit files again once."""
        if not Path("/run/systemd/system").is_dir():
            raise UnitError("this host is not run by systemd")
        if not self.wishes:
            return
        self.entries = [
            {"name": wish.name, "changed": False, "action": "none", "reason": "", "actions": []}
            for wish in self.wishes
        ]
        self.units = systemd.show([wish.name for wish in self.wishes])
        if any(map(unit_plan.is_missing, self.wishes, self.units)):
            self._reload()
        for number, unit in enumerate(self.units):
            if self._link_steps(number) or (self.wishes[number].enabled is not None and systemd.is_behind()):
                self.units[number] = unit_links.as_on_disk(unit)
        relinked = [] if self.check else [number for number in range(len(self.units)) if self._relink(number)]
        stale = any(unit.get("NeedDaemonReload") == "yes" for unit in self.units)
        if stale or any(self.units[number].masked for number in relinked):
            self._reload()
        elif relinked:
            systemd.daemon_reload_later()

    def _reload(self) -> None:
        self.daemon_reload = True
        if not self.check:
            systemd.daemon_reload()
            self.units = systemd.show([wish.name for wish in self.wishes])

    def _link_steps(self, number: int) -> list[Step]:
        given = self.specs[number], self.wishes[number], self.units[number]
        return [step for step in self._steps(*given) if step.links]

    def _relink(self, number: int) -> bool:
        """Do what only changes links to unit files; returns whether anything was."""
        unit, steps = self.units[number], self._link_steps(number)
        unit_links.change(self.wishes[number], unit, steps)
        for step in steps:
            self._note(step, unit, self.entries[number])
        return bool(steps)

    def deal_with(self, number: int) -> None:
        """Bring one unit into its state."""
        spec, wish, unit = self.specs[number], self.wishes[number], self.units[number]
        entry = self.entries[number]
        steps = self._steps(spec, wish, unit)
        if steps and self.acted and not self.check:
            # What was done before may have started or restarted this one as well.
            unit = systemd.show([wish.name])[0]
            steps = self._steps(spec, wish, unit)
        steps = [step for step in steps if self.check or not step.links]
        if steps and not unit.known and not self.check:
            raise unit_links.unknown(wish)
        began = time.monotonic()
        for step in steps:
            self._take(step, number, unit)
        if (port := Port.of(spec["wait"])) and not self.check and "condition_met" not in entry:
            unit_start.await_port(wish.name, port)
        if not self.check and any(step.activates for step in steps):
            self.seconds[wish.name] = round(time.monotonic() - began, 2)

    def _steps(self, spec: dict[str, Any], wish: Wish, unit: Unit) -> list[Step]:
        now = time.time()
        foreseen: list[str] = self.module.params["foreseen"] if self.check else []
        restart = newest(spec["restart_after"], now, foreseen)
        reload = newest(spec["reload_after"], now, foreseen)
        steps: list[Step] = unit_plan.decide(wish, unit, restart, reload)
        return steps if unit.known or not foreseen else unit_plan.packaged(wish, steps, foreseen)

    def _take(self, step: Step, number: int, unit: Unit) -> None:
        spec, entry = self.specs[number], self.entries[number]
        if self.check and step.verb == "start" and unit.condition_failed:
            entry.update(_PASSED_OVER)
            return
        if not self.check:
            self.acted = True
            if step.activates:
                port, block = Port.of(spec["wait"]), spec["block"]
                after = self.starts.begin(entry["name"], step.verb, unit, port, block=block)
                if after.condition_failed:
                    entry.update(_PASSED_OVER)
                    return
            elif (outcome := systemd.tell(step.verb, unit.identity)).rc != 0:
                raise unit_start.failure(entry["name"], step.verb, unit, outcome)
        self._note(step, unit, entry)

    def _note(self, step: Step, unit: Unit, entry: dict[str, Any]) -> None:
        if step.verb == "start" and unit.get("ActiveState") == "activating":
            return
        entry["actions"].append(step.done)
        entry["changed"] = True
        entry["reason"] = step.reason or entry["reason"]
        entry["action"] = next(done for done in unit_plan.DONE.values() if done in entry["actions"])


def subjects_of(specs: list[dict[str, Any]]) -> Subjects:
    """Everything whose touch may put the units out of order."""
    watched = {path for spec in specs for path in (*spec["restart_after"], *spec["reload_after"])}
    return {
        "units": [spec["name"] for spec in specs],
        "trees": sorted(watched),
        "ports": [[wait["address"], wait["port"]] for spec in specs if (wait := spec["wait"])],
    }


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=SPEC, supports_check_mode=True)
    run = Run(module)
    watch = Watch(module, subjects_of(run.specs))
    failure = ""
    try:
        run.look()
        for number in range(len(run.wishes)):
            run.deal_with(number)
        run.starts.settle()
    except UnitError as error:
        failure = str(error)
    result = {
        "changed": any(entry["changed"] for entry in run.entries),
        "items": run.entries,
        "daemon_reload": run.daemon_reload,
        "seconds": run.seconds,
        "invocation": {},
    }
    if failure:
        module.fail_json(msg=failure, **result)
    # What a condition kept from starting is tried again in every run.
    if not (run.acted or run.daemon_reload or any("condition_met" in entry for entry in run.entries)):
        watch.keep(result)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
