"""Collects the packages of all roles on the controller and asks each host at most once in a run."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, cast

from ansible import constants
from ansible.errors import AnsibleActionFail

from rackwright.errors import RackwrightError
from rackwright.remote.foreseen import foresee
from rackwright.remote.resident import ResidentModules
from rackwright.site import role_packages
from rackwright.site.plain import plain
from rackwright.sources.apt import apt_files

_ARGUMENTS = {"roles", "names", "proxy", "sources", "max_age_seconds"}
_MEMO = "rackwright_packages"
# Changes with every package; `units` asks for it in check mode.
_DPKG = "/var/lib/dpkg/info"


class ActionModule(ResidentModules):
    """The controller's half of the block."""

    TRANSFERS_FILES = False
    _supports_check_mode = True
    decides_here = "always"

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Merge the roles' packages, and ask the host unless it was asked before."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        task_vars = task_vars or {}
        payload = self._payload(task_vars)
        marks = _marks(payload)
        known = self._ensured(task_vars)
        if marks <= known:
            result.update(
                {"changed": False, "installed": [], "items": [], "mended": [], "skipped_call": True}
            )
            return result
        answer = self._execute_module(module_name="packages", module_args=payload, task_vars=task_vars)
        answer.pop("invocation", None)
        answer["skipped_call"] = False
        if self._task.check_mode and answer.get("installed"):
            foresee(answer, task_vars, {_DPKG: None})
        if not answer.get("failed"):
            facts = answer.setdefault("ansible_facts", {})
            facts[_MEMO] = {"run": _this_run(), "ensured": sorted(known | marks)}
        result.update(answer)
        return result

    def _payload(self, task_vars: dict[str, Any]) -> dict[str, Any]:
        arguments = self._task.args
        unknown = set(arguments) - _ARGUMENTS
        if unknown:
            raise AnsibleActionFail(
                f"packages: unknown {', '.join(sorted(unknown))}; known are {', '.join(sorted(_ARGUMENTS))}"
            )
        try:
            return self._merged(arguments, task_vars)
        except RackwrightError as error:
            raise AnsibleActionFail(f"packages: {error}") from error

    def _merged(self, arguments: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        names = role_packages.list_of_text("names", arguments.get("names"))
        seeds: dict[str, dict[str, str]] = {}
        roles = role_packages.list_of_text("roles", arguments.get("roles"))
        keys = self._system_keys(task_vars) if roles else []
        machine = not (roles and self._facts(task_vars).get("is_container"))
        for role in roles:
            wanted = role_packages.for_system(role, self._declared(role, task_vars), keys, machine=machine)
            names += wanted["install"]
            for seed in wanted["seed_files"]:
                if seeds.setdefault(seed["dest"], seed) != seed:
                    raise AnsibleActionFail(
                        f"packages: {seed['dest']} is seeded by two roles with different content"
                    )
        payload: dict[str, Any] = {"names": list(dict.fromkeys(names)), "seed_files": list(seeds.values())}
        if arguments.get("sources") is not None:
            facts = self._facts(task_vars)
            keys = [str(facts["os"]), str(facts["distribution"]).lower()]
            payload["sources"] = apt_files(plain(arguments["sources"]), keys, str(facts["architecture"]))
        for key in ("proxy", "max_age_seconds"):
            if arguments.get(key) is not None:
                payload[key] = arguments[key]
        return payload

    def _system_keys(self, task_vars: dict[str, Any]) -> list[str]:
        facts = self._facts(task_vars)
        return [str(facts["os"]), str(facts["distribution"]).lower(), "default"]

    def _facts(self, task_vars: dict[str, Any]) -> Mapping[str, Any]:
        facts = (task_vars.get("ansible_facts") or {}).get("host_facts")
        if not facts and "host_facts" in task_vars:
            facts = self._templar.template(task_vars["host_facts"])
        if not facts:
            raise AnsibleActionFail(
                "packages: the system of this host is unknown; run the host_facts module before"
            )
        return cast("Mapping[str, Any]", facts)

    def _declared(self, role: str, task_vars: dict[str, Any]) -> Mapping[str, Any]:
        places = [Path(path) for path in constants.DEFAULT_ROLES_PATH]
        places += [Path(self._loader.get_basedir()) / "roles"]
        if task_vars.get("role_path"):
            places.append(Path(str(task_vars["role_path"])).parent)
        folder = next((place / role for place in places if (place / role).is_dir()), None)
        if folder is None:
            searched = ", ".join(str(place) for place in places)
            raise AnsibleActionFail(f"packages: there is no role {role} in {searched}")
        path = folder / "meta" / "packages.yml"
        return _declared(folder, path.stat().st_mtime_ns if path.exists() else 0)

    def _ensured(self, task_vars: dict[str, Any]) -> set[str]:
        memo = (task_vars.get("ansible_facts") or {}).get(_MEMO) or {}
        # A fact cache keeps the memo of earlier runs, when the host may have been another.
        return set(memo.get("ensured", [])) if memo.get("run") == _this_run() else set()


@cache
def _declared(role: Path, _changed: int) -> Mapping[str, Any]:
    """Read a role's packages.yml, once for all hosts of a run; nobody changes what is returned."""
    return role_packages.declared_in(role)


def _marks(payload: dict[str, Any]) -> set[str]:
    """What a payload ensures, as text that can be kept among the facts."""
    marks = {f"name:{name}" for name in payload["names"]}
    for seed in payload["seed_files"]:
        total = hashlib.sha256(f"{seed['content']}\0{seed.get('mode')}".encode()).hexdigest()
        marks.add(f"seed:{seed['dest']}:{total}")
    if "proxy" in payload:
        marks.add(f"proxy:{payload['proxy']}")
    if "sources" in payload:
        marks.add(f"sources:{hashlib.sha256(repr(payload['sources']).encode()).hexdigest()}")
    return marks


def _this_run() -> str:
    """Names the main process of this run: every worker is its child."""
    parent = os.getppid()
    try:
        started = Path(f"/proc/{parent}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()[19]
    except (OSError, IndexError):
        started = "?"
    return f"{parent}:{started}"
