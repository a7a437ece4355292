"""What earlier tasks of a run in check mode would have changed on a host.

In check mode nothing is written, so the times of files do not show what a later task of the run would act on.
Each block therefore notes what it would change among the facts of the host; `units` counts that as changed.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

FACT = "rackwright_foreseen"
# Longer texts are noted by their path alone.
LONGEST_TEXT = 32 * 1024


def foreseen(task_vars: Mapping[str, Any] | None) -> dict[str, str | None]:
    """Return the paths that would be new on this host by now, each with its text where that is known.

    Args:
        task_vars: the variables of the task.
    """
    note = ((task_vars or {}).get("ansible_facts") or {}).get(FACT) or {}
    # A fact cache keeps what an earlier run foresaw.
    return dict(note.get("paths") or {}) if note.get("run") == this_run() else {}


def foresee(
    result: dict[str, Any], task_vars: Mapping[str, Any] | None, paths: Mapping[str, str | None]
) -> None:
    """Note in a result, for later tasks, which paths would be new.

    Args:
        result: what the action returns; its `ansible_facts` get the note.
        task_vars: the variables of the task.
        paths: what would be written, each with its new text where it is short and no secret, else None.
    """
    if not paths:
        return
    known = foreseen(task_vars) | {
        path: text if text is not None and len(text) <= LONGEST_TEXT else None for path, text in paths.items()
    }
    facts = result.setdefault("ansible_facts", {})
    facts[FACT] = {"run": this_run(), "paths": known}


def written(items: Iterable[Mapping[str, Any]], texts: Mapping[str, str | None]) -> dict[str, str | None]:
    """Return what a service would find changed after the changed items of `managed_files`.

    A removal shows in the directory around it. The rights of a directory are no reason to read it again.

    Args:
        items: the items of the result: dest, changed, reason.
        texts: the new text of every file that may be shown, by dest.
    """
    found: dict[str, str | None] = {}
    for item in items:
        dest, reason = str(item["dest"]), str(item.get("reason") or "")
        if not item.get("changed") or not dest.startswith("/"):
            continue
        if reason == "removed":
            found[str(Path(dest).parent)] = None
        elif dest in texts or "created" in reason or "target" in reason or "replaces" in reason:
            found[dest] = texts.get(dest)
    return found


def this_run() -> str:
    """Name the main process of this run, in which a task runs or whose child does."""
    parent = multiprocessing.parent_process()
    main = os.getpid() if parent is None else parent.pid
    try:
        started = Path(f"/proc/{main}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()[19]
    except (OSError, IndexError):
        started = "?"
    return f"{main}:{started}"
