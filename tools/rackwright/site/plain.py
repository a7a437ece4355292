"""Ansible's tagged and lazy values turned into Python's own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def plain(value: Any) -> Any:
    """Return the value as plain dict, list, str, int, float, bool or None, all the way down.

    Ansible 2.19 hands out subclasses that carry tags or template their items when they are read by
    Python; libraries that read them through C would see the untemplated text. Other kinds of value are
    returned as they are.
    """
    # bool first: it is an int.
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value)
    if isinstance(value, Mapping):
        return {plain(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(item) for item in value]
    return value
