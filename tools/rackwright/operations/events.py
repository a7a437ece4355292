"""The events of a run, as ansible-runner reports them, reduced to what people and tools ask for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

# Tasks that only prepare a run; an operator never waits for them to be explained.
_RESULT_EVENTS = {"runner_on_ok", "runner_on_failed", "runner_on_unreachable", "runner_on_skipped"}


@dataclass(frozen=True)
class TaskResult:
    """What one task did on one host.

    Attributes:
        host: inventory name.
        play: name of the play.
        role: role that the task belongs to, empty for a play's own task.
        task: name of the task.
        action: module or action plugin.
        status: ``ok``, ``changed``, ``failed``, ``unreachable`` or ``skipped``.
        seconds: time on that host.
        result: the module's own return value, censored by Ansible where the task says ``no_log``.
    """

    host: str
    play: str
    role: str
    task: str
    action: str
    status: str
    seconds: float
    result: Mapping[str, Any] = field(repr=False)

    @property
    def message(self) -> str:
        """Why the task failed, in one text; empty when the module gave none."""
        for key in ("msg", "stderr", "module_stderr", "reason"):
            text = self.result.get(key)
            if text:
                return str(text).strip()
        return ""

    @property
    def timed_restarts(self) -> list[tuple[str, float]]:
        """What the task restarted, and the seconds until it served again; empty for a run in check mode."""
        found: list[tuple[str, float]] = []
        took = self.result.get("seconds")
        if isinstance(took, Mapping):
            items = [item for item in self.result.get("items") or () if isinstance(item, Mapping)]
            restarted = [str(item["name"]) for item in items if item.get("action") == "restarted"]
            found += [(name, float(took[name])) for name in restarted if name in took]
        elif took and self.result.get("reasons") and "name" in self.result:
            found.append((str(self.result["name"]), float(took)))
        if self.result.get("restart_seconds") and "unit" in self.result:
            found.append((str(self.result["unit"]), float(self.result["restart_seconds"])))
        return found

    @property
    def changed_items(self) -> list[str]:
        """Names of the items that a batch block changed (file, package, unit, …)."""
        return [
            str(item.get("dest") or item.get("name") or item.get("service") or "?")
            for item in self.result.get("items") or ()
            if isinstance(item, Mapping) and item.get("changed")
        ]


def task_result(event: Mapping[str, Any]) -> TaskResult | None:
    """Turn one event of ansible-runner into a result; None for an event of another kind."""
    name = event.get("event")
    if name not in _RESULT_EVENTS:
        return None
    data: Mapping[str, Any] = event.get("event_data") or {}
    result: Mapping[str, Any] = data.get("res") or {}
    if name == "runner_on_failed" and data.get("ignore_errors"):
        status = "ok"
    elif name == "runner_on_ok":
        status = "changed" if result.get("changed") else "ok"
    else:
        status = str(name).removeprefix("runner_on_")
    return TaskResult(
        host=str(data.get("host", "?")),
        play=str(data.get("play", "")),
        role=str(data.get("role") or ""),
        task=str(data.get("task", "")),
        action=str(data.get("resolved_action") or data.get("task_action") or ""),
        status=status,
        seconds=float(data.get("duration") or 0.0),
        result=result,
    )


@dataclass
class Recap:
    """What a run did so far: counts per host, changes, failures and what took long."""

    counts: dict[str, Counter[str]] = field(default_factory=dict)
    changed: list[TaskResult] = field(default_factory=list)
    failed: list[TaskResult] = field(default_factory=list)
    results: list[TaskResult] = field(default_factory=list)
    play: str = ""
    task: str = ""
    tasks_started: int = 0

    def feed(self, event: Mapping[str, Any]) -> None:
        """Take in one event."""
        kind, data = event.get("event"), event.get("event_data") or {}
        if kind == "playbook_on_play_start":
            self.play = str(data.get("play", ""))
        elif kind in {"playbook_on_task_start", "playbook_on_handler_task_start"}:
            self.task = str(data.get("task", ""))
            self.tasks_started += 1
        result = task_result(event)
        if result is None:
            return
        self.counts.setdefault(result.host, Counter())[result.status] += 1
        self.results.append(result)
        if result.status == "changed":
            self.changed.append(result)
        elif result.status in {"failed", "unreachable"}:
            self.failed.append(result)

    def slowest(self, most: int) -> list[tuple[str, float]]:
        """The tasks that held the run up longest.

        Args:
            most: how many at the most.

        Returns:
            Pairs of task name and seconds, longest first. Hosts run in parallel, so a task costs the run what
            its slowest host took.
        """
        longest: dict[str, float] = {}
        for result in self.results:
            name = f"{result.role} : {result.task}" if result.role else result.task
            longest[name] = max(longest.get(name, 0.0), result.seconds)
        return sorted(longest.items(), key=lambda pair: -pair[1])[:most]
