"""Remembers that a play found nothing to do on a host, and passes over it until something has changed.

Such a play was decided on the control node alone: every block in it was answered by a record that its host
had verified in that run (`trust`). So the same files, options and facts, and a host that still vouches for
the same records, give the same end. A play that asked its host anything, or left something for later plays,
is never remembered, nor is any play of a run that has changed something.

Made for ansible-core 2.19; with another version nothing is done here.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
from contextlib import suppress
from functools import wraps
from pathlib import Path
from typing import Any

from ansible.executor.task_queue_manager import TaskQueueManager
from ansible.release import __version__ as ansible_version
from ansible.utils.display import Display

from rackwright.errors import RackwrightError
from rackwright.remote import inputs, trust
from rackwright.site.paths import cache_directory, repository_root

VERSION = "2.19."
# Of one play and host: with and without --check, say.
KEPT = 4
# Tasks that leave nothing but what their own role registers, beside blocks whose host vouches for them.
_INNER = frozenset(
    {
        "assert",
        "debug",
        "fail",
        "include_role",
        "include_tasks",
        "packages",
        "set_fact",
        "validate_argument_spec",
        "wheelhouse",
    }
)
# Facts of hosts that are no input: what is vouched for is compared with what was relied upon instead.
_FACTS_ASIDE = ("__", "rackwright_", "host_plan")

display = Display()


class Memory:
    """What was remembered of a site's plays, and what this run adds to it."""

    def __init__(self, root: Path, sources: list[str], variables: dict[str, Any]) -> None:
        """Read what earlier runs of this site have left.

        Args:
            root: The checkout.
            sources: The run's inventory sources.
            variables: Given on the command line.

        Raises:
            OSError, inputs.TooManyFilesError: The run's input cannot be looked through.
        """
        self._digest = inputs.run_digest(root, sources, variables)
        directories = [Path(source).resolve() for source in sources]
        caches = cache_directory()
        self._opened = inputs.Opened(
            [root, *(path if path.is_dir() else path.parent for path in directories), caches]
        )
        name = inputs.digest(str(root), [str(path) for path in directories])[:16]
        self._place = cache_directory("plays") / f"{name}.json"
        self._entries: dict[str, list[dict[str, Any]]] = {}
        with suppress(OSError, ValueError):
            if _own(self._place):
                self._entries = json.loads(self._place.read_text(encoding="utf-8"))
        self._new = False
        # The hosts of the play that runs now, and those of them that it cannot be remembered of.
        self._spoiled: set[str] = set()

    def known(self, manager: Any, play: Any, hosts: set[str]) -> dict[str, float]:  # noqa: ANN401 - Ansible ships no types
        """Return the hosts that a play has nothing to do on, each with when that was found (Unix time)."""
        self._spoiled = set()
        if play.vars_prompt:
            return {}
        facts, found = _facts(manager), {}
        digest = self._of(facts)
        for host in hosts:
            for entry in self._entries.get(_key(play, host), []):
                if (
                    entry["digest"] == digest
                    and set(entry["relied"]) <= trust.vouched(facts.get(host, {}), host)
                    and all(list(inputs.signature(path)) == known for path, known in entry["files"].items())
                ):
                    found[host] = float(entry["at"])
        return found

    def note(self, host: str, task: Any, answer: dict[str, Any] | None, *, ours: bool) -> None:  # noqa: ANN401 - as above
        """Take in how a task of the play went.

        Args:
            host: Its host.
            task: The task.
            answer: Its result; None when the host was asked.
            ours: Whether it is one of the project's blocks, which need nothing but their records here.
        """
        quiet = answer is not None and not answer.get("changed") and not answer.get("failed")
        inner = ours or (answer or {}).get("skipped") or _inner(task)
        public = bool(task.register) and not task.register.startswith("__")
        if not quiet or not inner or public:
            self._spoiled.add(host)
            display.vvv(f"{task.get_name()}: this play cannot be passed over the next time", host=host)

    def conclude(self, manager: Any, play: Any, hosts: set[str]) -> None:  # noqa: ANN401 - as above
        """Remember a play that came to its end, of every host that it was decided for here."""
        if not trust.quiet():
            return
        facts = _facts(manager)
        digest, files = self._of(facts), self._opened.signatures()
        for host in hosts - self._spoiled:
            relied = sorted(trust.relied_upon(host))
            if not facts.get(host, {}).get(trust.FACT):
                continue
            entry = {"digest": digest, "relied": relied, "files": files, "at": time.time()}
            others = [each for each in self._entries.get(_key(play, host), []) if each["digest"] != digest]
            self._entries[_key(play, host)] = [entry, *others][:KEPT]
            self._new = True

    def write(self) -> None:
        """Keep for the next run what this one adds."""
        if not self._new:
            return
        with suppress(OSError):
            handle, name = tempfile.mkstemp(dir=self._place.parent)
            with os.fdopen(handle, "w", encoding="utf-8") as stream:
                json.dump(self._entries, stream)
            Path(name).replace(self._place)
        self._new = False

    def _of(self, facts: dict[str, dict[str, Any]]) -> str:
        plain = {
            host: {key: value for key, value in known.items() if not key.startswith(_FACTS_ASIDE)}
            for host, known in facts.items()
        }
        return inputs.digest(self._digest, json.dumps(plain, sort_keys=True, default=repr))


_memory: dict[str, Memory] = {}


def begin(sources: list[str], variables: dict[str, Any]) -> None:
    """Use what earlier runs have left, and remember this one; without a cache nothing is remembered."""
    _memory.clear()
    if not ansible_version.startswith(VERSION):
        return
    with suppress(RackwrightError, OSError, inputs.TooManyFilesError):
        _memory["run"] = Memory(repository_root(), sources, variables)
        if not hasattr(TaskQueueManager.run, "__wrapped__"):
            TaskQueueManager.run = _passing_over(TaskQueueManager.run)


def note(host: str, task: Any, answer: dict[str, Any] | None, *, ours: bool = False) -> None:  # noqa: ANN401 - as above
    """See `Memory.note`."""
    if memory := _memory.get("run"):
        memory.note(host, task, answer, ours=ours)


def end() -> None:
    """Keep what this run adds."""
    if memory := _memory.get("run"):
        memory.write()


def _passing_over(run: Any) -> Any:  # noqa: ANN401 - as above
    @wraps(run)
    def run_what_is_left(queue: Any, play: Any) -> Any:  # noqa: ANN401 - as above
        memory, inventory = _memory.get("run"), queue._inventory  # noqa: SLF001 - as Ansible's executor does
        hosts = set(inventory._restriction or ())  # noqa: SLF001 - as above
        if memory is None or not hosts:
            return run(queue, play)
        manager = queue._variable_manager  # noqa: SLF001 - as above
        known = memory.known(manager, play, hosts)
        left = hosts - set(known)
        if not left:
            queue.load_callbacks()
            queue.send_callback("v2_playbook_on_play_start", play)
            _tell(known)
            return queue.RUN_OK
        inventory._restriction = left  # noqa: SLF001 - as above
        if known:
            _tell(known)
        result = run(queue, play)
        if result == queue.RUN_OK:
            memory.conclude(manager, play, left)
        return result

    return run_what_is_left


def _tell(known: dict[str, float]) -> None:
    since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(min(known.values())))
    display.display(
        f"as before: {', '.join(sorted(known))} (nothing there or in the input has changed since {since})"
    )


def _key(play: Any, host: str) -> str:  # noqa: ANN401 - as above
    return f"{play.get_path()} {host}"


def _facts(manager: Any) -> dict[str, dict[str, Any]]:  # noqa: ANN401 - as above
    """Return what is known of every host by its own word or by tasks."""
    hosts = manager._inventory.get_hosts(ignore_limits=True, ignore_restrictions=True)  # noqa: SLF001 - as above
    said, made = manager._fact_cache, manager._nonpersistent_fact_cache  # noqa: SLF001 - as above
    return {
        host.name: {**(said.get(host.name) if said.contains(host.name) else {}), **made.get(host.name, {})}
        for host in hosts
    }


def _inner(task: Any) -> bool:  # noqa: ANN401 - as above
    """Tell whether a task that ran here left nothing that a later play could use."""
    name = task.action.removeprefix("ansible.builtin.").removeprefix("ansible.legacy.")
    if name == "set_fact":
        return all(str(key).startswith("__") or key == "cacheable" for key in task.args)
    return name in _INNER


def _own(path: Path) -> bool:
    about = path.stat()
    return about.st_uid in (0, os.geteuid()) and not about.st_mode & 0o022
