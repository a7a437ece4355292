"""Users of a store who may read, write or own databases that are named, and nothing elsewhere."""

from __future__ import annotations

import re
from typing import Any

RIGHTS = ("read", "write", "own")
NAME_RULE = "a name is small letters, digits and _, and begins with a letter"
_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")


def is_name(text: str) -> bool:
    """Tell whether a user or a database may be called so: no store has to quote it."""
    return _NAME.fullmatch(text) is not None


def users_option(**more: dict[str, Any]) -> dict[str, Any]:
    """Return the module's option `users`; `more` are what a user has beside name, password and grants."""
    grant = {
        "database": {"type": "str", "required": True},
        "rights": {"type": "str", "choices": list(RIGHTS), "default": "write"},
    }
    user = {
        "name": {"type": "str", "required": True},
        "password": {"type": "str", "required": True, "no_log": True},
        **more,
        "grants": {"type": "list", "elements": "dict", "default": [], "options": grant},
    }
    return {"type": "list", "elements": "dict", "default": [], "options": user}
