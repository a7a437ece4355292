"""Takes a list of items from planning over checking to the finished files."""

from __future__ import annotations

import shlex
import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from ansible.module_utils.rackwright import command, file_plan, file_write
from ansible.module_utils.rackwright.accounts import gid_of, uid_of
from ansible.module_utils.rackwright.file_plan import Change, Item, PlanError

_ORDER = ("directory", "file", "link", "absent")


@dataclass
class Plan:
    """The changes in the order in which they are made, and what stands in their way."""

    changes: list[Change] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def ordered(items: list[Item]) -> list[Item]:
    """Directories from the top down, then files, links and removals in their own order."""
    directories = sorted((item for item in items if item.state == "directory"), key=lambda item: item.dest)
    rest = [item for state in _ORDER[1:] for item in items if item.state == state]
    return directories + rest


def make_plan(items: list[Item], *, check: bool) -> Plan:
    """Compare all items with the file system.

    Args:
        items: What is wanted, in any order.
        check: Whether nothing will be written: then what another task would have made by now (accounts,
            directories) may be missing.

    Returns:
        The plan; with problems it must not be carried out.
    """
    result = Plan()
    directories = {item.dest for item in items if item.state == "directory"}
    made = directories | {str(parent) for dest in directories for parent in Path(dest).parents}
    for item in ordered(items):
        owned = item.state in ("file", "directory")
        uid, gid = (uid_of(item.owner), gid_of(item.group)) if owned else (0, 0)
        try:
            change = file_plan.plan(item, uid, gid)
        except PlanError as error:
            result.problems.append(str(error))
            continue
        if owned and not check:
            if uid is None:
                result.problems.append(f"{item.dest}: there is no user {item.owner}; list it under users")
            if gid is None:
                result.problems.append(f"{item.dest}: there is no group {item.group}; list it under groups")
        if change is None:
            continue
        parent = str(Path(item.dest).parent)
        if item.state in ("file", "link") and parent not in made and not Path(parent).is_dir():
            if not check:
                result.problems.append(f"{item.dest}: {parent} does not exist; list it with state: directory")
            change.reasons.append("its directory does not exist yet")
        result.changes.append(change)
    return result


def checks_needed(plan: Plan) -> list[Change]:
    """The changes whose new content a program has to approve."""
    return [change for change in plan.changes if change.rewrite and change.item.validate]


def approve(change: Change, staged: str, *, check: bool) -> str | None:
    """Ask the item's checker about the staged content.

    Args:
        change: What is to be written.
        staged: Where the content waits.
        check: Whether a checker that is not installed yet is passed over.

    Returns:
        Why the content is refused, None when it is good. Of a secret file the checker's words are kept back.
    """
    template = str(change.item.validate)
    argv = [part.replace("%s", staged) for part in shlex.split(template)]
    if shutil.which(argv[0], path=command.system_path()) is None:
        if check:
            return None
        return f"{change.item.dest}: its checker {argv[0]} is not installed"
    outcome = command.run(argv, timeout=120)
    if outcome.rc == 0:
        return None
    said = "(the file is secret: output kept back)" if change.item.secret else outcome.output
    said = said.replace(staged, change.item.dest)
    return f"{change.item.dest}: refused by `{template}` (status {outcome.rc}): {said}"


class Application:
    """Carries a plan out; `done` names what was changed, also when it stopped half-way."""

    def __init__(self, plan: Plan) -> None:
        """Take a plan without problems."""
        self.plan = plan
        self.done: list[Change] = []
        self._staging = file_write.Staging()

    def rehearse(self) -> list[str]:
        """Ask the checkers without putting anything in place; returns the refusals."""
        refusals: list[str] = []
        with tempfile.TemporaryDirectory() as elsewhere:
            try:
                for change in checks_needed(self.plan):
                    if change.item.content is None and change.item.staged is None:
                        continue
                    parent = Path(change.item.dest).parent
                    staged = self._staging.add(change, None if parent.is_dir() else elsewhere)
                    refusals += [text for text in [approve(change, staged, check=True)] if text]
            finally:
                self._staging.clear()
        return refusals

    def carry_out(self) -> list[str]:
        """Make the directories, stage and check every file, then put all in place.

        Returns:
            The refusals of the checkers; no file was touched when there is one.

        Raises:
            OSError: The system refused; each file is either the old or the new one.
        """
        try:
            for change in self._of("directory"):
                file_write.make_directory(change)
                self.done.append(change)
            rewrites = [change for change in self._of("file") if change.rewrite]
            staged = {change.item.dest: self._staging.add(change) for change in rewrites}
            answers = [approve(c, staged[c.item.dest], check=False) for c in checks_needed(self.plan)]
            refusals = [text for text in answers if text]
            if not refusals:
                self._put_in_place()
        finally:
            self._staging.clear()
        return refusals

    def _put_in_place(self) -> None:
        for change in self._of("file"):
            if change.rewrite:
                file_write.put_in_place(change, self._staging.path(change.item.dest))
                self._staging.done(change.item.dest)
            else:
                file_write.set_rights(change)
            self.done.append(change)
        for change in self._of("link"):
            file_write.make_link(change)
            self.done.append(change)
        for change in self._of("absent"):
            file_write.remove(change)
            self.done.append(change)
        file_write.sync_directories({str(Path(change.item.dest).parent) for change in self.done})

    def _of(self, state: str) -> list[Change]:
        return [change for change in self.plan.changes if change.item.state == state]
