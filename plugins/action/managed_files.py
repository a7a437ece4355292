"""Renders a list of files on the controller, ships it once and notifies by changed item."""

from __future__ import annotations

import base64
import hashlib
import re
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail

from rackwright.remote.foreseen import foresee, written
from rackwright.remote.rendering import MANAGED, found, rendered
from rackwright.remote.resident import ResidentModules

# Above this a file travels on its own, and only when the host's differs.
_INLINE_BYTES = 2 * 1024 * 1024
_KEYS = {
    "file": {"template", "content", "src", "owner", "group", "mode", "validate", "secret", "vars"},
    "directory": {"owner", "group", "mode"},
    "link": {"target"},
    "absent": set(),
}
_ACCOUNT_KEYS = {
    "groups": {"name", "system", "gid"},
    "users": {"name", "uid", "group", "groups", "home", "shell", "comment", "system", "create_home"},
}
_COMMON = {"dest", "state", "notify"}
_ARGUMENTS = {"groups", "users", "files", "sysctl", "sysctl_name"}


class ActionModule(ResidentModules):
    """The controller's half of the block."""

    TRANSFERS_FILES = False
    _supports_check_mode = True
    decides_here = "verified"

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Render, ship, and set the task's handlers to those of the changed items."""
        super().run(tmp, task_vars)
        arguments = self._checked_arguments()
        task_vars = task_vars or {}
        notify: dict[str, list[str]] = {}
        sources: dict[str, str] = {}
        files: list[dict[str, Any]] = []
        for entry in arguments["files"]:
            checked = _checked_entry(entry)
            notify[checked["dest"]] = _names(checked.pop("notify", []))
            files.append(self._with_content(checked, task_vars, sources))
        settings = {str(key): _setting(str(key), value) for key, value in arguments["sysctl"].items()}
        if settings:
            files.append(_settings_file(arguments["sysctl_name"], settings))
        payload = {
            "groups": arguments["groups"],
            "users": arguments["users"],
            "files": files,
            "sysctl": settings,
        }
        try:
            result = self._call(payload, task_vars)
            if result.get("to_fetch"):
                self._send(files, result["to_fetch"], sources)
                result = self._call(payload, task_vars)
        finally:
            self._remove_tmp_path(self._shell().tmpdir)
        if self._task.check_mode:
            # A file in the result that is not shown is known by its path alone.
            texts = {
                entry["dest"]: None if entry.get("secret") else entry.get("content")
                for entry in files
                if entry["state"] == "file"
            }
            foresee(result, task_vars, written(result.get("items", []), texts))
        return self._finish(result, notify)

    def _finish(self, result: dict[str, Any], notify: dict[str, list[str]]) -> dict[str, Any]:
        # The executor takes the notifications from the task once the action has run, and the strategy
        # passes them on when the result is changed.
        named = list(self._task.notify or [])
        for item in result.get("items", []):
            named += [name for name in notify.get(item["dest"], []) if item["changed"] and name not in named]
        self._task.notify = named or None
        differences = [item["diff"] for item in result.get("items", []) if item.get("diff")]
        if differences:
            result["diff"] = differences
        result.pop("invocation", None)
        return result

    def _shell(self) -> Any:  # noqa: ANN401 - Ansible ships no types
        # Action plugins have no public way to the directory of a task on the target.
        return self._connection._shell  # noqa: SLF001

    def _call(self, payload: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        module_args = dict(payload)
        result: dict[str, Any] = self._execute_module(
            module_name="managed_files", module_args=module_args, task_vars=task_vars
        )
        return result

    def _update_module_args(
        self,
        module_name: str,
        module_args: dict[str, Any],
        task_vars: dict[str, Any],
        ignore_unknown_opts: bool = False,
    ) -> None:
        super()._update_module_args(
            module_name, module_args, task_vars, ignore_unknown_opts=ignore_unknown_opts
        )
        # The target's journal would otherwise get every file with its content.
        module_args["_ansible_no_log"] = True

    def _checked_arguments(self) -> dict[str, Any]:
        unknown = set(self._task.args) - _ARGUMENTS
        if unknown:
            raise AnsibleActionFail(_unknown("managed_files", unknown, _ARGUMENTS))
        arguments: dict[str, Any] = {}
        for name in ("groups", "users", "files"):
            entries = self._task.args.get(name) or []
            if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
                raise AnsibleActionFail(f"{name}: write a list of dictionaries")
            arguments[name] = entries
        for name, known in _ACCOUNT_KEYS.items():
            for entry in arguments[name]:
                if not entry.get("name"):
                    raise AnsibleActionFail(f"{name}: an entry has no name")
                if set(entry) - known:
                    raise AnsibleActionFail(_unknown(f"{name}, {entry['name']}", set(entry) - known, known))
        arguments["sysctl"] = self._task.args.get("sysctl") or {}
        arguments["sysctl_name"] = self._task.args.get("sysctl_name")
        if not isinstance(arguments["sysctl"], dict):
            raise AnsibleActionFail("sysctl: write a dictionary of keys and values")
        if arguments["sysctl"] and not re.fullmatch(r"[a-z0-9_-]+", str(arguments["sysctl_name"] or "")):
            raise AnsibleActionFail(
                "sysctl_name: name the file of kernel settings in small letters, digits, - and _"
            )
        return arguments

    def _with_content(
        self, entry: dict[str, Any], task_vars: dict[str, Any], sources: dict[str, str]
    ) -> dict[str, Any]:
        shipped = {key: entry[key] for key in entry if key not in ("template", "content", "src", "vars")}
        if entry["state"] != "file":
            return shipped
        if "template" in entry:
            shipped["content"] = rendered(
                self, entry["template"], entry["dest"], task_vars, entry.get("vars")
            )
        elif "content" in entry:
            shipped["content"] = _text(entry)
        else:
            shipped.update(self._read(entry, sources))
        return shipped

    def _read(self, entry: dict[str, Any], sources: dict[str, str]) -> dict[str, str]:
        # Decrypts what is in a vault.
        path = Path(self._loader.get_real_file(found(self, "files", entry["src"])))
        if path.stat().st_size > _INLINE_BYTES:
            total = hashlib.sha256()
            with path.open("rb") as stream:
                while block := stream.read(1 << 20):
                    total.update(block)
            sources[entry["dest"]] = str(path)
            return {"sha256": total.hexdigest()}
        data = path.read_bytes()
        try:
            return {"content": data.decode("utf-8")}
        except UnicodeDecodeError:
            return {"content_base64": base64.b64encode(data).decode("ascii")}

    def _send(self, files: list[dict[str, Any]], wanted: list[str], sources: dict[str, str]) -> None:
        shell = self._shell()
        if shell.tmpdir is None:
            self._make_tmp_path()
        for number, entry in enumerate(files):
            if entry["dest"] in wanted:
                place = shell.join_path(shell.tmpdir, f"content-{number}")
                entry["staged"] = self._transfer_file(sources[entry["dest"]], place)


def _checked_entry(entry: dict[str, Any]) -> dict[str, Any]:
    """Fill in the defaults of an entry of files; refuse what is wrong with it."""
    dest = str(entry.get("dest") or "")
    if not dest.startswith("/"):
        raise AnsibleActionFail(f"files: dest is {dest!r}; write an absolute path")
    where = f"files, {dest}"
    state = str(entry.get("state", "file"))
    if state not in _KEYS:
        raise AnsibleActionFail(f"{where}: state is {state!r}; write one of {', '.join(_KEYS)}")
    known = _KEYS[state] | _COMMON
    if set(entry) - known:
        raise AnsibleActionFail(_unknown(f"{where}, state {state}", set(entry) - known, known))
    if state == "file" and sum(key in entry for key in ("template", "content", "src")) != 1:
        raise AnsibleActionFail(f"{where}: give one of template, content and src")
    if state == "link" and not entry.get("target"):
        raise AnsibleActionFail(f"{where}: a link needs a target")
    if entry.get("validate") and "%s" not in entry["validate"]:
        raise AnsibleActionFail(
            f"{where}: validate is {entry['validate']!r}; write %s where the file's name goes"
        )
    # Path folds doubled slashes, but leaves two at the beginning.
    checked = {**entry, "dest": "/" + str(Path(dest)).lstrip("/"), "state": state}
    if state in ("file", "directory"):
        mode = entry.get("mode", "0755" if state == "directory" else "0644")
        if not isinstance(mode, str) or not re.fullmatch(r"[0-7]{3,4}", mode):
            raise AnsibleActionFail(f'{where}: mode is {mode!r}; write a quoted octal number such as "0644"')
        owner, group = str(entry.get("owner", "root")), str(entry.get("group", "root"))
        checked.update(
            {"mode": mode, "owner": owner, "group": group, "secret": bool(entry.get("secret", False))}
        )
    return checked


def _text(entry: dict[str, Any]) -> str:
    content = entry["content"]
    if isinstance(content, bool) or not isinstance(content, str | int | float):
        kind = "list" if isinstance(content, list) else "dictionary" if isinstance(content, dict) else "value"
        raise AnsibleActionFail(
            f"files, {entry['dest']}: content is a {kind}; turn it into text, as with to_nice_yaml"
        )
    return str(content)


def _setting(key: str, value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise AnsibleActionFail(f"sysctl, {key}: the value is {value!r}; write a number or text")
    return str(value)


def _settings_file(name: str, settings: dict[str, str]) -> dict[str, Any]:
    lines = [f"# {MANAGED}", *(f"{key} = {settings[key]}" for key in sorted(settings))]
    dest = f"/etc/sysctl.d/60-rackwright-{name}.conf"
    rights = {"owner": "root", "group": "root", "mode": "0644", "secret": False}
    return {"dest": dest, "state": "file", "content": "\n".join(lines) + "\n", **rights}


def _names(value: object) -> list[str]:
    return [str(name) for name in value] if isinstance(value, list) else [str(value)]


def _unknown(where: str, unknown: set[str], known: set[str]) -> str:
    return f"{where}: unknown {', '.join(sorted(map(str, unknown)))}; known are {', '.join(sorted(known))}"
