"""What has to change on a file system: pure comparison, nothing is written here."""

from __future__ import annotations

import base64
import hashlib
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


class PlanError(Exception):
    """An item that cannot be brought about; the text says why and what to do."""


@dataclass(frozen=True)
class Item:
    """One entry of a list of managed files.

    `content` is None for content that is not here: `sha256` then names it and `staged` is where it was put.
    """

    dest: str
    state: str
    owner: str = "root"
    group: str = "root"
    mode: int = 0o644
    content: bytes | None = None
    sha256: str | None = None
    staged: str | None = None
    target: str | None = None
    validate: str | None = None
    secret: bool = False


def item_from(entry: dict[str, Any]) -> Item:
    """Make an item of an entry as the action plugin ships it."""
    content = entry.get("content")
    data = content.encode("utf-8", "surrogateescape") if content is not None else None
    if entry.get("content_base64") is not None:
        data = base64.b64decode(entry["content_base64"])
    names = ("dest", "state", "owner", "group", "sha256", "staged", "target", "validate", "secret")
    known = {name: entry[name] for name in names if entry.get(name) is not None}
    return Item(mode=int(str(entry.get("mode") or "0"), 8), content=data, **known)


@dataclass(frozen=True)
class Present:
    """What is at a path: kind is missing, file, directory, link or other."""

    kind: str
    mode: int = 0
    uid: int = -1
    gid: int = -1
    target: str | None = None


@dataclass
class Change:
    """One item that is not as asked for; uid and gid are None while the account does not exist."""

    item: Item
    present: Present
    uid: int | None
    gid: int | None
    reasons: list[str] = field(default_factory=list)
    rewrite: bool = False

    @property
    def reason(self) -> str:
        """The reasons in one line."""
        return ", ".join(self.reasons)


def look(path: str, *, follow: bool = False) -> Present:
    """See what is at a path; with `follow` a link counts as what it leads to."""
    try:
        status = Path(path).stat() if follow else Path(path).lstat()
    except (FileNotFoundError, NotADirectoryError):
        return Present("missing")
    kinds = ((stat.S_ISREG, "file"), (stat.S_ISDIR, "directory"), (stat.S_ISLNK, "link"))
    kind = next((name for test, name in kinds if test(status.st_mode)), "other")
    target = str(Path(path).readlink()) if kind == "link" else None
    return Present(kind, stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid, target)


def digest(path: str) -> str:
    """The SHA-256 of a file."""
    total = hashlib.sha256()
    with Path(path).open("rb") as stream:
        while block := stream.read(1 << 20):
            total.update(block)
    return total.hexdigest()


def same_content(item: Item) -> bool:
    """Whether the file at the item's place holds what is wanted."""
    if item.content is None:
        return item.sha256 == digest(item.dest)
    path = Path(item.dest)
    return path.stat().st_size == len(item.content) and path.read_bytes() == item.content


def check_list(items: list[Item]) -> None:
    """Refuse lists that contradict themselves.

    Raises:
        PlanError: A path is listed twice, or lies under one that is to be absent, or is the root.
    """
    seen: set[str] = set()
    for item in items:
        if item.dest in seen:
            raise PlanError(f"{item.dest} is listed twice; leave one entry")
        seen.add(item.dest)
    for item in items:
        if item.state != "absent":
            continue
        if Path(item.dest).parent == Path("/"):
            raise PlanError(f"{item.dest} is not something to remove: only paths below the top level are")
        inside = [other for other in sorted(seen) if other.startswith(item.dest + "/")]
        if inside:
            raise PlanError(f"{item.dest} is to be absent, yet {inside[0]} is listed too; leave one of them")


def plan(item: Item, uid: int | None, gid: int | None) -> Change | None:
    """Compare an item with what is there.

    Args:
        item: What is wanted.
        uid: The owner's number, None when there is no such user yet.
        gid: The group's number, None when there is no such group yet.

    Returns:
        The change, or None when all is as asked for.

    Raises:
        PlanError: Something stands in the way that is not to be replaced silently.
    """
    present = look(item.dest, follow=item.state == "directory")
    change = Change(item, present, uid, gid)
    _PLANNERS[item.state](change)
    return change if change.reasons else None


def _plan_file(change: Change) -> None:
    item, present = change.item, change.present
    if present.kind in ("directory", "other"):
        raise PlanError(f"{item.dest} is a {present.kind}, not a file; remove it or choose another dest")
    if present.kind != "file":
        change.rewrite = True
        change.reasons.append("created" if present.kind == "missing" else "replaces a link")
        return
    if not same_content(item):
        change.rewrite = True
        change.reasons.append("content")
    _compare_rights(change)


def _plan_directory(change: Change) -> None:
    item, present = change.item, change.present
    if present.kind == "missing":
        if look(item.dest).kind == "link":
            raise PlanError(f"{item.dest} is a link that leads nowhere; remove it or create its target")
        change.reasons.append("created")
        return
    if present.kind != "directory":
        raise PlanError(f"{item.dest} is a {present.kind}, not a directory; remove it or choose another dest")
    _compare_rights(change)


def _plan_link(change: Change) -> None:
    item, present = change.item, change.present
    if present.kind in ("directory", "other"):
        raise PlanError(f"{item.dest} is a {present.kind}, not a link; remove it or choose another dest")
    if present.kind == "missing":
        change.reasons.append("created")
    elif present.kind == "file":
        change.reasons.append("replaces a file")
    elif present.target != item.target:
        change.reasons.append(f"target {present.target} -> {item.target}")


def _plan_absent(change: Change) -> None:
    if change.present.kind != "missing":
        change.reasons.append("removed")


def _compare_rights(change: Change) -> None:
    item, present = change.item, change.present
    if present.mode != item.mode:
        change.reasons.append(f"mode {present.mode:04o} -> {item.mode:04o}")
    if present.uid != change.uid:
        change.reasons.append(f"owner {present.uid} -> {item.owner}")
    if present.gid != change.gid:
        change.reasons.append(f"group {present.gid} -> {item.group}")


_PLANNERS = {"file": _plan_file, "directory": _plan_directory, "link": _plan_link, "absent": _plan_absent}
