"""Runs what needs no host in Ansible's main process, where a task would otherwise get a process of its own.

A process per task and host costs more than most tasks do: it starts without whatever the one before it had
loaded, compiled and looked up. Everything around the task stays Ansible's: its own executor runs it, and the
result takes the way of every other result. A task that turns out to need its host is given back untouched.

Made for ansible-core 2.19; with another version nothing is done here.
"""

from __future__ import annotations

import pickle
from multiprocessing.reduction import ForkingPickler
from typing import Any, NoReturn

from ansible._internal import _task
from ansible.executor.task_executor import TaskExecutor
from ansible.executor.task_result import _RawTaskResult
from ansible.playbook.handler import Handler
from ansible.plugins.loader import action_loader, get_plugin_loader_namespace
from ansible.plugins.strategy import StrategyBase
from ansible.release import __version__ as ansible_version

from rackwright.remote import passing, remembered, trust, ways
from rackwright.remote.resident import ResidentModules

VERSION = "2.19."
# Ansible's own tasks that change no host, beside those that need no connection.
_LOOKING = frozenset(
    {"find", "gather_facts", "include_role", "include_tasks", "ping", "setup", "slurp", "stat", "wait_for"}
)
# The executor only reads what is to be included; the strategy includes it.
_INCLUDES = frozenset({"ansible.builtin.include_role", "ansible.builtin.include_tasks"})
_elsewhere = StrategyBase._queue_task  # noqa: SLF001 - what every strategy hands a task to a process with


def install() -> None:
    """Let every strategy of this process try its tasks here first."""
    if ansible_version.startswith(VERSION):
        StrategyBase._queue_task = _TryingHere._queue_task  # noqa: SLF001 - as above
        passing.install()


class _Calls:
    """Stands for the queue to the main process: keeps the results of a loop's items till the task is done."""

    def __init__(self) -> None:
        self.kept: list[tuple[str, Any]] = []

    def send_callback(self, name: str, result: Any) -> None:  # noqa: ANN401 - Ansible ships no types
        """Take what the executor would send."""
        self.kept.append((name, _carried(result)))


class _Executor(TaskExecutor):  # type: ignore[misc]  # Ansible ships no types
    """Ansible's executor, up to the point where it would need a host."""

    _settings: ways.Settings | None = None
    _ready = False

    def _get_connection(self, cvars: Any, templar: Any, current_connection: str) -> Any:  # noqa: ANN401 - as above
        self._settings = ways.settings_of(self._task, cvars)
        connection = ways.connection_of(self._settings)
        self._ready = connection is not None
        return connection or super()._get_connection(cvars, templar, current_connection)

    def _set_connection_options(self, variables: Any, templar: Any) -> Any:  # noqa: ANN401 - as above
        if self._ready:
            return []
        names = super()._set_connection_options(variables, templar)
        ways.keep(self._settings, self._connection)
        return names

    def _get_action_handler_with_module_context(self, templar: Any) -> Any:  # noqa: ANN401 - as above
        if not _stays_here(self._task.action, self._job_vars):
            raise trust.HostNeededError
        handler, context = super()._get_action_handler_with_module_context(templar)
        handler.in_main_process = True
        return handler, context


class _TryingHere(StrategyBase):  # type: ignore[misc]  # Ansible ships no types
    """`self` is whatever strategy the play has: only the method is taken from here."""

    def _queue_task(self, host: Any, task: Any, task_vars: dict[str, Any], play_context: Any) -> None:  # noqa: ANN401
        calls = _Calls()
        answer = None
        if not (self._step or self.debugger_active) and _may_run_here(task, task_vars):
            answer = _answer(self, (host, task, task_vars, play_context), calls)
        if answer is None:
            if not _tells(task):
                trust.doubt()
            remembered.note(host.name, task, None)
            _elsewhere(self, host, task, task_vars, play_context)
            return
        self._queued_task_cache[host.name, task._uuid] = {  # noqa: SLF001 - as Ansible notes it
            "host": host,
            "task": task,
            "task_vars": task_vars,
            "play_context": play_context,
        }
        self._tqm.send_callback("v2_runner_on_start", host, task)
        for name, item in calls.kept:
            self._tqm.send_callback(name, self._convert_wire_task_result_to_raw(item))
        self._pending_results += 1
        result = self._convert_wire_task_result_to_raw(answer)
        remembered.note(host.name, task, dict(result._return_data), ours=_is_ours(task.action))  # noqa: SLF001 - as above
        with self._results_lock:
            self._results.append(result)


def _answer(strategy: Any, given: tuple[Any, Any, dict[str, Any], Any], calls: _Calls) -> Any:  # noqa: ANN401
    """Run a task; return its result, or None when it needs its host."""
    host, task, task_vars, play_context = given
    copied = task.copy(exclude_parent=True, exclude_tasks=True)
    copied._parent = task._parent  # noqa: SLF001 - as Ansible copies a task
    if not _stays_here(task.action, task_vars):
        # Whether it is skipped can be told here; whatever comes after that is for its host.
        copied.post_validate = _needs_host
    executor = _Executor(
        host=host,
        task=copied,
        # It writes into the variables as if it were alone.
        job_vars=dict(task_vars),
        play_context=ways.Context(play_context),
        loader=strategy._loader,  # noqa: SLF001 - what Ansible gives a worker
        shared_loader_obj=get_plugin_loader_namespace(),
        final_q=calls,
        variable_manager=strategy._variable_manager,  # noqa: SLF001 - as above
    )
    try:
        with _task.TaskContext(copied), passing.expected():
            answer = executor.run()
    except trust.HostNeededError:
        return None
    if answer.get("failed") and passing.is_check(task.action):
        return None
    fields = copied.dump_attrs()
    return _carried(_RawTaskResult(host=host, task=copied, return_data=answer, task_fields=fields))


def _carried(result: Any) -> Any:  # noqa: ANN401
    """A result as it would have come from another process: nothing in it is shared with variables."""
    return pickle.loads(ForkingPickler.dumps(result.as_wire_task_result()))  # noqa: S301 - made just now


def _needs_host(*_: object, **__: object) -> NoReturn:
    raise trust.HostNeededError


def _may_run_here(task: Any, task_vars: dict[str, Any]) -> bool:  # noqa: ANN401
    """Tell whether trying is worth it: what waits, runs beside others or is another host's is not tried."""
    if isinstance(task, Handler) or task.async_val or task.delegate_to or task.until or task.retries:
        return False
    if task.timeout or task.throttle or task.debugger or (task.loop_control and task.loop_control.pause):
        return False
    return bool(task.when) or _stays_here(task.action, task_vars)


def _stays_here(action: str, variables: dict[str, Any]) -> bool:
    """Tell whether an action needs no host, or may find out by itself that it does not (`decides_here`)."""
    if action in _INCLUDES:
        return True
    handler = action_loader.get(action, class_only=True)
    if not getattr(handler, "_requires_connection", True):
        return True
    decides = getattr(handler, "decides_here", "")
    return decides == "always" or (decides == "verified" and bool(trust.believed(variables)))


def _tells(task: Any) -> bool:  # noqa: ANN401
    """Tell whether a task that goes to its host says by its result whether it has changed the host."""
    if task.delegate_to or task.changed_when or task.failed_when or isinstance(task, Handler):
        return False
    if task.action.removeprefix("ansible.builtin.").removeprefix("ansible.legacy.") in _LOOKING:
        return True
    handler = action_loader.get(task.action, class_only=True)
    return _is_ours(task.action) or not getattr(handler, "_requires_connection", True)


def _is_ours(action: str) -> bool:
    """Tell whether an action is one of the project's blocks."""
    handler = action_loader.get(action, class_only=True)
    return isinstance(handler, type) and issubclass(handler, ResidentModules)
