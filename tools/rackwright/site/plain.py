"""Ansible's tagged and lazy values turned into Python's own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

# Whatever YAML and templates can say.
Value: TypeAlias = Any


def plain(value: Value) -> Value:
    """Return the value as plain dict, list, str, int, float, bool or None, all the way down.

    Ansible 2.19 hands out subclasses that carry tags or template their items when they are read by
    Python; libraries that read them through C would see the untemplated text. Other kinds of value are
    returned as they are.
    """
    if isinstance(value, Mapping):
        return {plain(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(item) for item in value]
    if isinstance(value, str):
        return str.__str__(value)
    # bool is an int, and none of its kind is tagged.
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return int(value) if isinstance(value, int) else float(value)
    return value
