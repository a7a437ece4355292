#!/usr/bin/python
"""Asks what the platform recorded of a smoke test's question (see DOCUMENTATION)."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.rackwright.smoke import finish

DOCUMENTATION = r"""
module: smoke_records
short_description: Ask what the platform recorded of a question
description:
  - With O(database) it asks PostgreSQL, as its superuser on this host, for the turn of a session.
  - With O(audit_log) it reads the lines that a user left in the app's audit log.
  - Nothing on the machine changes.
options:
  database: {description: Database of the app., type: str}
  session: {description: Session of the question., type: str}
  audit_log: {description: Path of the audit log., type: path}
  user: {description: Who asked., type: str, required: true}
  question: {description: What was asked., type: str, required: true}
  personal:
    description: Personal data in the question that the audit log must mask.
    type: str
    required: true
  masked: {description: What must stand in its place., type: str, required: true}
  instances:
    description:
      - How many hosts may have answered; with more than one, a host without the question leaves it out.
    type: int
    default: 1
author: [Rackwright]
"""

EXAMPLES = r"""
- smoke_records:
    audit_log: /var/log/rackwright-app/audit.log
    user: smoke
    question: Call 13800001234, what is a rack?
    personal: "13800001234"
    masked: 138****1234
"""

RETURN = r"""
steps:
  description: One entry per step with name, ok, detail and what; skipped where another host has it.
  type: list
"""

# The audit log of a busy site is large; the question was asked a moment ago.
TAIL_BYTES = 4 * 1024 * 1024
SESSION = re.compile(r"^[0-9a-f-]{36}$")


def recorded_turn(module: AnsibleModule) -> tuple[bool, str]:
    """PostgreSQL keeps the question and its answer."""
    if not SESSION.match(module.params["session"] or ""):
        return False, "there is no session to ask for"
    query = (
        "SELECT json_build_object('subject', s.subject, 'question', t.question, 'status', t.status, "
        "'characters', length(t.answer)) FROM sessions s JOIN turns t ON t.session_id = s.id "
        "WHERE s.id = :'session'::uuid ORDER BY t.id LIMIT 1;\n"
    )
    command = ["runuser", "-u", "postgres", "--", "psql", "-XAtq", "-d", module.params["database"]]
    command += ["-v", "ON_ERROR_STOP=1", "-v", f"session={module.params['session']}"]
    code, out, err = module.run_command(command, data=query, cwd="/")
    if code != 0 or not out.strip():
        return False, err.strip() or "the session is not there"
    row = json.loads(out)
    ok = (
        row["subject"] == module.params["user"]
        and row["question"] == module.params["question"]
        and row["status"] == "complete"
        and row["characters"] > 0
    )
    return ok, f"status {row['status']}, answer of {row['characters']} characters for {row['subject']}"


def audit_lines(module: AnsibleModule) -> list[dict[str, Any]]:
    """Return the audit log's last lines of the user, parsed."""
    with Path(module.params["audit_log"]).open("rb") as stream:
        stream.seek(0, 2)
        stream.seek(max(0, stream.tell() - TAIL_BYTES))
        tail = stream.read().decode("utf-8", "replace").splitlines()
    lines = []
    for line in tail:
        try:
            entry = json.loads(line)
        except ValueError:
            continue  # the first line of the tail may be cut
        if isinstance(entry, dict) and entry.get("user") == module.params["user"]:
            lines.append(entry)
    return lines


def audited(module: AnsibleModule) -> tuple[bool | None, str]:
    """The audit log tells who asked what from where."""
    chats = [
        line
        for line in audit_lines(module)
        if line.get("path") == "/api/chat" and line.get("method") == "POST"
    ]
    if not chats:
        return None, "no line of this user"
    last = chats[-1]
    missing = [key for key in ("time", "address", "agent", "status") if not last.get(key)]
    return not missing, f"{last.get('address')} {last.get('status')} at {last.get('time')}" + (
        f", without {', '.join(missing)}" if missing else ""
    )


def masked(module: AnsibleModule) -> tuple[bool | None, str]:
    """The audit log masks personal data."""
    text = json.dumps(audit_lines(module), ensure_ascii=False)
    if module.params["personal"] in text:
        return False, "the personal data of the question is there in clear"
    if module.params["masked"] not in text:
        return None, f"{module.params['masked']} is not there"
    return True, module.params["masked"]


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "database": {"type": "str"},
            "session": {"type": "str"},
            "audit_log": {"type": "path"},
            "user": {"type": "str", "required": True},
            "question": {"type": "str", "required": True},
            "personal": {"type": "str", "required": True},
            "masked": {"type": "str", "required": True},
            "instances": {"type": "int", "default": 1},
        },
        required_one_of=[["database", "audit_log"]],
        supports_check_mode=True,
    )
    steps: list[Callable[[AnsibleModule], tuple[bool | None, str]]] = []
    if module.params["database"]:
        steps.append(recorded_turn)
    if module.params["audit_log"]:
        steps += [audited, masked]
    done = []
    for step in steps:
        try:
            ok, detail = step(module)
        except (OSError, ValueError, KeyError) as error:
            ok, detail = False, f"{type(error).__name__}: {error}"
        # None: it is not here, but may be where another instance of the app answered.
        skipped = ok is None and module.params["instances"] > 1
        told = {"name": step.__name__, "what": step.__doc__, "ok": bool(ok) or skipped, "skipped": skipped}
        done.append({**told, "detail": "another instance answered" if skipped else detail})
    finish(module, done)


if __name__ == "__main__":
    main()
