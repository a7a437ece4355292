"""Keeps what the files of group_vars and host_vars say together: Ansible merges them anew for every task.

It reads each file once in a run all the same; after `meta: refresh_inventory` the hosts are other objects.

Made for ansible-core 2.19; with another version nothing is done here.
"""

from __future__ import annotations

import gc
from collections.abc import Callable
from functools import wraps
from typing import Any

from ansible.release import __version__ as ansible_version
from ansible.vars import manager

VERSION = "2.19."
# Objects made beyond those that were freed before Python looks for cycles; it would do so 700 at a time,
# through all of Ansible's playbook, which stays till the end.
_MANY = 50_000
_Read = Callable[..., dict[str, Any]]


def install() -> None:
    """Keep what is merged from now on, in this process and in those it forks."""
    gc.freeze()
    gc.set_threshold(_MANY, 20, 20)
    for name in ("get_vars_from_path", "get_vars_from_inventory_sources"):
        read = getattr(manager, name)
        if ansible_version.startswith(VERSION) and not hasattr(read, "__wrapped__"):
            setattr(manager, name, _keeping(read))


def _keeping(read: _Read) -> _Read:
    kept: dict[tuple[Any, ...], tuple[list[Any], dict[str, Any]]] = {}

    @wraps(read)
    def read_once(loader: Any, place: Any, entities: list[Any], stage: str) -> dict[str, Any]:  # noqa: ANN401
        where = place if isinstance(place, str) else tuple(place)
        key = (id(loader), where, stage, *map(id, entities))
        if key not in kept:
            # The objects are kept as well, so that no other gets the number of one of them.
            kept[key] = ([loader, *entities], read(loader, place, entities, stage))
        return dict(kept[key][1])

    return read_once
