"""Runs modules that stay on the host: a call sends nothing but the arguments.

Of Ansible's own `_execute_module` only what is sent is replaced. The arguments, the reading of the result and
every failure stay Ansible's.
"""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path
from typing import Any

from ansible import constants
from ansible._internal._ansiballz._builder import ExtensionManager
from ansible.errors import AnsibleError
from ansible.executor.interpreter_discovery import InterpreterDiscoveryRequiredError
from ansible.executor.module_common import _BuiltModule, _get_shebang
from ansible.module_utils.common.json import Direction, get_module_encoder
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from rackwright.remote import lay_down, trust
from rackwright.remote.payload import ENTRY, Payload, payload

ROOT = "/var/lib/rackwright/modules"
# A variable that names another directory, for hosts where that one cannot be written.
VARIABLE = "rackwright_modules_directory"
# No user's or site's packages and no PYTHON* variables: the modules need the standard library only.
OPTIONS = "-I -S"
_PROFILE = "legacy"
# What the interpreter exits with when the file is not there.
_NO_FILE = 2
_DONE = "rackwright: laid down"
# Asks `host_facts` for the host's verified state.
VERIFY = "verify"

display = Display()


class ResidentModules(ActionBase):  # type: ignore[misc]  # Ansible ships no types
    """For action plugins: `_execute_module` starts the host's copy of a module; lays it down if need be.

    What the host has verified in this run is answered without asking it.
    """

    # Whether the action is tried in Ansible's main process: "always", "verified" (when its host has verified
    # anything), or not.
    decides_here = ""
    # Set where it runs in the main process: there no host can be asked.
    in_main_process = False
    _resident: Payload | None = None
    _interpreter = ""
    _root = ROOT
    _appended = ""
    _word = ""

    def _execute_module(
        self,
        module_name: str | None = None,
        module_args: dict[str, Any] | None = None,
        tmp: None = None,
        task_vars: dict[str, Any] | None = None,
        persist_files: bool = False,
        delete_remote_tmp: None = None,
        wrap_async: bool = False,
        ignore_unknown_opts: bool = False,
    ) -> dict[str, Any]:
        """As in Ansible; the same arguments, the same result."""
        name = module_name or self._task.action
        given: dict[str, Any] = {
            "module_name": module_name,
            "module_args": module_args,
            "tmp": tmp,
            "task_vars": task_vars,
            "persist_files": persist_files,
            "delete_remote_tmp": delete_remote_tmp,
            "wrap_async": wrap_async,
            "ignore_unknown_opts": ignore_unknown_opts,
        }
        try:
            self._resident = self._payload_for(name, task_vars or {}, wrap_async)
            self._word = self._word_for(
                name, self._task.args if module_args is None else module_args, task_vars
            )
            if self._word in (known := trust.believed(task_vars)):
                trust.rely(str((task_vars or {}).get("inventory_hostname", "")), self._word)
                return {**known[self._word], "_ansible_parsed": True}
            if self.in_main_process:
                raise trust.HostNeededError
            result: dict[str, Any] = super()._execute_module(**given)
            if self._resident is None or not self._not_started(result):
                return trust.stamped(result)
            # Check mode leaves the host as it is.
            if self._task.check_mode or not self._lay_down(self._resident):
                self._resident = None
            result = super()._execute_module(**given)
            if self._resident is not None and self._not_started(result):
                self._resident = None
                result = super()._execute_module(**given)
            return trust.stamped(result)
        finally:
            self._resident = None
            self._appended = ""

    def _configure_module(
        self, module_name: str, module_args: dict[str, Any], task_vars: dict[str, Any]
    ) -> tuple[Any, str]:
        """Say what is sent and what it is sent to."""
        if self._resident is not None:
            variables = task_vars
            if self._task.delegate_to:
                variables = task_vars["ansible_delegated_vars"][self._task.delegate_to]
            try:
                shebang, _ = _get_shebang("/usr/bin/python", variables, self._templar)
            except InterpreterDiscoveryRequiredError:
                self._resident = None
            else:
                self._interpreter = shebang.removeprefix("#!").strip()
                entry = self._entry(self._resident)
                self._appended = f" {OPTIONS} {entry} {module_name.rpartition('.')[2]} {self._word}".rstrip()
                return self._started(module_name, module_args), entry
        configured: tuple[Any, str] = super()._configure_module(module_name, module_args, task_vars)
        return configured

    def _low_level_execute_command(self, cmd: str, *given: Any, **named: Any) -> dict[str, Any]:  # noqa: ANN401
        # Ansible quotes the interpreter's line as one word, so what follows it is added here.
        appended, self._appended = self._appended, ""
        answer: dict[str, Any] = super()._low_level_execute_command(cmd + appended, *given, **named)
        return answer

    def _word_for(self, name: str, arguments: dict[str, Any], variables: dict[str, Any] | None) -> str:
        """Return what a call ends with: the digest that a record is kept by, or the wish to verify all."""
        if self._resident is None or self._task.delegate_to or self._task.environment not in (None, [], [{}]):
            return ""
        name = name.rpartition(".")[2]
        if name == "host_facts":
            return VERIFY if trust.wanted(variables) else ""
        encoder = get_module_encoder(_PROFILE, Direction.CONTROLLER_TO_MODULE)
        try:
            text = json.dumps(arguments, cls=encoder, sort_keys=True)
        except TypeError:
            return ""
        return trust.digest(variables, self._resident.name, name, text)

    def _started(self, module_name: str, module_args: dict[str, Any]) -> _BuiltModule:
        encoder = get_module_encoder(_PROFILE, Direction.CONTROLLER_TO_MODULE)
        try:
            arguments = json.dumps({"ANSIBLE_MODULE_ARGS": module_args}, cls=encoder)
        except TypeError as error:
            raise AnsibleError(f"Failed to serialize arguments for the {module_name!r} module.") from error
        return _BuiltModule(
            b_module_data=arguments.encode(),
            module_style="new",
            shebang=f"#!{self._interpreter}",
            serialization_profile=_PROFILE,
        )

    def _payload_for(self, name: str, variables: dict[str, Any], wrap_async: bool) -> Payload | None:
        """Return the payload that a call may use; None when it has to travel as Ansible packs it."""
        if (
            self._connection.transport == "local"
            or wrap_async
            or self._task.async_val
            or not self._is_pipelining_enabled("new", wrap_async)
            or not self._becomes_root()
            or constants.config.get_config_value("_MODULE_METADATA")
            or constants.config.get_config_value("PYTHON_MODULE_RLIMIT_NOFILE", variables=variables)
            or ExtensionManager.create(task_vars=variables).extension_names
        ):
            return None
        found = self._shared_loader_obj.module_loader.find_plugin_with_context(
            name, "", collection_list=self._task.collections
        )
        if not found.resolved or not found.plugin_resolved_path:
            return None
        self._root = str(self._templar.template(variables.get(VARIABLE, ROOT)))
        if not re.fullmatch(r"(/[A-Za-z0-9._-]+)+", self._root):
            raise AnsibleError(f"{VARIABLE}: {self._root!r}; write an absolute path (letters, digits, . _ -)")
        made = payload(Path(found.plugin_resolved_path).parent)
        return made if name.rpartition(".")[2] in made.modules else None

    def _becomes_root(self) -> bool:
        if self._connection.become:
            return self.get_become_option("become_user") in (None, "", "root")
        return bool(self._get_remote_user() == "root")

    def _entry(self, resident: Payload) -> str:
        return f"{self._root}/{resident.name}/{ENTRY}"

    def _not_started(self, result: dict[str, Any]) -> bool:
        """Tell whether the module was not there, so that nothing has happened on the host."""
        if result.get("_ansible_parsed", True) or result.get("rc") != _NO_FILE or self._resident is None:
            return False
        # With a terminal, what was written to both comes on standard output.
        said = str(result.get("module_stderr", "")) + str(result.get("module_stdout", ""))
        return f"can't open file '{self._entry(self._resident)}'" in said

    def _lay_down(self, resident: Payload) -> bool:
        """Send the modules; tell whether they are there now."""
        code = Path(lay_down.__file__).read_text(encoding="utf-8")
        archive = base64.b64encode(resident.archive()).decode("ascii")
        call = f"lay_down({self._root!r}, {resident.name!r}, {archive!r}, {ENTRY!r})\nprint({_DONE!r})\n"
        answer = self._low_level_execute_command(
            f"{self._interpreter} {OPTIONS} -", sudoable=True, in_data=f"{code}\n\n{call}".encode()
        )
        if answer["rc"] == 0 and _DONE in answer["stdout"]:
            return True
        lines = str(answer["stderr"] or answer["stdout"]).strip().splitlines()
        display.warning(
            f"{self._root}: cannot be made ({lines[-1] if lines else answer['rc']}); "
            "the modules travel with every call, which takes longer"
        )
        return False
