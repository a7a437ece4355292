"""What the operator is told about a planned change."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible.module_utils.rackwright.file_plan import Change

_SHOWN_BYTES = 256 * 1024


def entry(change: Change, *, diff: bool) -> dict[str, Any]:
    """One entry of the result's items.

    Args:
        change: What is to change; nothing may have been written yet, or the old content is lost.
        diff: Whether the operator asked for differences.

    Returns:
        dest, changed, reason and, on request, diff; never a word of a secret file.
    """
    result: dict[str, Any] = {"dest": change.item.dest, "changed": True, "reason": change.reason}
    if diff:
        result["diff"] = _difference(change)
    return result


def _difference(change: Change) -> dict[str, str]:
    dest = change.item.dest
    headers = {"before_header": dest, "after_header": f"{dest} ({change.reason})"}
    if change.item.secret and change.rewrite:
        return {**headers, "before": "", "after": "(secret: content not shown)\n"}
    if change.rewrite:
        before = _old_text(change)
        return {**headers, "before": before, "after": _new_text(change)}
    return {**headers, "before": _summary(change, old=True), "after": _summary(change, old=False)}


def _summary(change: Change, *, old: bool) -> str:
    present, item = change.present, change.item
    if old:
        if present.kind == "missing":
            return "absent\n"
        if present.kind == "link":
            return f"link to {present.target}\n"
        return f"{present.kind} {present.uid}:{present.gid} {present.mode:04o}\n"
    if item.state == "absent":
        return "absent\n"
    if item.state == "link":
        return f"link to {item.target}\n"
    shown = f"{change.uid if change.uid is not None else item.owner}:"
    shown += f"{change.gid if change.gid is not None else item.group}"
    return f"{item.state} {shown} {item.mode:04o}\n"


def _old_text(change: Change) -> str:
    if change.present.kind != "file":
        return ""
    return _as_text(Path(change.item.dest).read_bytes())


def _new_text(change: Change) -> str:
    if change.item.content is None:
        return f"(binary, SHA-256 {change.item.sha256})\n"
    return _as_text(change.item.content)


def _as_text(content: bytes) -> str:
    if len(content) > _SHOWN_BYTES:
        return f"({len(content)} bytes)\n"
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return f"(binary, {len(content)} bytes)\n"
