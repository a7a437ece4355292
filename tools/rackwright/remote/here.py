"""Runs what needs no host in Ansible's main process, where the task would otherwise get a process of its own.

A process per task and host costs more than most tasks do: it starts without whatever the one before it had
loaded, compiled and looked up. Everything around the task stays Ansible's: it is Ansible's own executor that runs,
and its result takes the way of every other result. A task that turns out to need the host is given back untouched.

Made for ansible-core 2.19; with another version nothing is done here.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable
from multiprocessing.reduction import ForkingPickler
from typing import Any, NoReturn

from ansible._internal import _task
from ansible.executor.task_executor import TaskExecutor
from ansible.executor.task_result import _RawTaskResult
from ansible.playbook.handler import Handler
from ansible.plugins.loader import action_loader, get_plugin_loader_namespace
from ansible.plugins.strategy import StrategyBase
from ansible.release import __version__ as ansible_version

from rackwright.remote import trust
from rackwright.remote.resident import ResidentModules

VERSION = "2.19."
# Ansible's own tasks that change no host, beside those that need no connection.
_LOOKING = frozenset(
    {
        "gather_facts",
        "include_role",
        "include_tasks",
        "ping",
        "setup",
        "slurp",
        "stat",
        "wait_for",
        "wait_for_connection",
    }
)


class _Calls:
    """Stands for the queue to the main process: keeps the items' results till the task is done."""

    def __init__(self) -> None:
        self.kept: list[tuple[str, Any]] = []

    def send_callback(self, name: str, result: Any) -> None:  # noqa: ANN401 - Ansible ships no types
        self.kept.append((name, _carried(result.as_wire_task_result())))


class _Here(TaskExecutor):  # type: ignore[misc]  # Ansible ships no types
    """Ansible's executor, up to the point where it would need a host."""

    def _get_action_handler_with_module_context(self, templar: Any) -> Any:  # noqa: ANN401
        handler, context = super()._get_action_handler_with_module_context(templar)
        if not _stays_here(self._task.action, self._job_vars):
            raise trust.HostNeededError
        handler.in_main_process = True
        return handler, context


def install() -> None:
    """Let every strategy of this process try its tasks here first."""
    if ansible_version.startswith(VERSION) and not hasattr(StrategyBase._queue_task, "elsewhere"):  # noqa: SLF001
        StrategyBase._queue_task = _trying_here(StrategyBase._queue_task)  # noqa: SLF001


def _trying_here(elsewhere: Callable[..., None]) -> Callable[..., None]:
    def queue_task(strategy: Any, host: Any, task: Any, task_vars: dict[str, Any], context: Any) -> None:  # noqa: ANN401
        if _may_run_here(strategy, task, task_vars) and _run(strategy, host, task, task_vars, context):
            return
        if not _tells(task):
            trust.doubt()
        elsewhere(strategy, host, task, task_vars, context)

    queue_task.elsewhere = elsewhere  # type: ignore[attr-defined]
    return queue_task


def _run(strategy: Any, host: Any, task: Any, task_vars: dict[str, Any], context: Any) -> bool:  # noqa: ANN401
    """Run the task and hand its result to the strategy; tell whether that could be done."""
    copied = task.copy(exclude_parent=True, exclude_tasks=True)
    copied._parent = task._parent  # noqa: SLF001 - as Ansible copies a task
    calls = _Calls()
    # The executor writes into the variables as if it were alone.
    executor = _Here(
        host, copied, dict(task_vars), context, strategy._loader, get_plugin_loader_namespace(), calls,  # noqa: SLF001
        strategy._variable_manager,  # noqa: SLF001
    )  # fmt: skip
    if task.when and not _stays_here(task.action, task_vars):
        # Whether it is skipped can be told here; whatever comes after that is the host's.
        copied.post_validate = _needs_host
    try:
        with _task.TaskContext(copied):
            answer = executor.run()
    except trust.HostNeededError:
        return False
    made = _RawTaskResult(host=host, task=copied, return_data=answer, task_fields=copied.dump_attrs())
    carried = _carried(made.as_wire_task_result())
    strategy._queued_task_cache[(host.name, task._uuid)] = {  # noqa: SLF001
        "host": host, "task": task, "task_vars": task_vars, "play_context": context,
    }  # fmt: skip
    strategy._tqm.send_callback("v2_runner_on_start", host, task)  # noqa: SLF001
    for name, item in calls.kept:
        strategy._tqm.send_callback(name, strategy._convert_wire_task_result_to_raw(item))  # noqa: SLF001
    result = strategy._convert_wire_task_result_to_raw(carried)  # noqa: SLF001
    strategy._pending_results += 1  # noqa: SLF001
    with strategy._results_lock:  # noqa: SLF001
        strategy._results.append(result)  # noqa: SLF001
    return True


def _carried(result: Any) -> Any:  # noqa: ANN401
    """A result as it would have come from another process: nothing in it is shared with variables."""
    return pickle.loads(ForkingPickler.dumps(result))  # noqa: S301 - made the line before


def _needs_host(*_: Any, **__: Any) -> NoReturn:  # noqa: ANN401
    raise trust.HostNeededError


def _may_run_here(strategy: Any, task: Any, task_vars: dict[str, Any]) -> bool:  # noqa: ANN401
    if (
        isinstance(task, Handler) or task.async_val or task.delegate_to or task.until or task.retries
        or task.timeout or task.throttle or task.debugger or strategy.debugger_active or strategy._step  # noqa: SLF001
    ):  # fmt: skip
        return False
    if task.loop_control and task.loop_control.pause:
        return False
    return bool(task.when) or _stays_here(task.action, task_vars)


def _stays_here(action: str, variables: dict[str, Any]) -> bool:
    """Tell whether an action needs no host, or may find out by itself that it does not (`decides_here`)."""
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
    return isinstance(handler, type) and (
        issubclass(handler, ResidentModules) or not getattr(handler, "_requires_connection", True)
    )
