"""Keeps the ways to hosts: in the main process nothing connects, so no task needs a connection of its own.

Ansible makes a connection for every task and templates all its options, which takes longer than most tasks
that are decided here. What is kept tells how a host would be reached, and as whom; that is all that is asked.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from ansible import constants

Settings = tuple[str, ...]
# Of a task, or of what is around it.
_KEYWORDS = (
    *("become", "become_method", "become_user", "become_flags", "become_exe", "remote_user", "port"),
    *("connection", "check_mode", "diff"),
)
_connections: dict[Settings, Any] = {}
_contexts: dict[Settings, Any] = {}


def settings_of(task: Any, variables: Mapping[str, Any]) -> Settings | None:  # noqa: ANN401
    """Return what decides how a host is reached; None where variables of the task itself do.

    Args:
        task: The task.
        variables: Its variables, not templated.
    """
    connection = str(variables.get("ansible_connection") or task.connection)
    method = str(variables.get("ansible_become_method") or task.become_method)
    names = _option_variables(connection, method)
    if not names.isdisjoint(task.vars or ()):
        return None
    given = [getattr(task, name) for name in _KEYWORDS] + [variables.get(name) for name in sorted(names)]
    return (str(variables["inventory_hostname"]), *map(repr, given))


def connection_of(settings: Settings | None) -> Any:  # noqa: ANN401 - Ansible ships no types
    """Return the connection that was kept; None when there is none."""
    return None if settings is None else _connections.get(settings)


def keep(settings: Settings | None, connection: Any) -> None:  # noqa: ANN401 - as above
    """Keep a connection whose options are set."""
    if settings is not None:
        _connections[settings] = connection


class Context:
    """Stands for a play's context, and gives each task the one that was made for another like it."""

    def __init__(self, play_context: Any) -> None:  # noqa: ANN401 - as above
        self._of_play = play_context

    def copy(self) -> Context:
        """Give itself to each item of a loop: nothing here is changed by a task."""
        return self

    def set_task_and_variable_override(self, task: Any, variables: Any, templar: Any) -> Any:  # noqa: ANN401 - as above
        """As in Ansible."""
        settings = settings_of(task, variables)
        made = None if settings is None else _contexts.get(settings)
        if made is None:
            made = self._of_play.set_task_and_variable_override(
                task=task, variables=variables, templar=templar
            )
            if settings is not None:
                made.post_validate(templar=templar)
                # It is final: nothing is validated or laid over it again.
                made.post_validate = lambda **_: None
                made.set_task_and_variable_override = lambda **_: made
                _contexts[settings] = made
        return made


@cache
def _option_variables(connection: str, become_method: str) -> frozenset[str]:
    """Return the names of all variables that these plugins, and shells, are told their options by."""
    plugins = (("connection", connection), ("become", become_method), ("shell", "sh"))
    told = {name for kind, plugin in plugins for name in constants.config.get_plugin_vars(kind, plugin)}
    mapped = {name for names in constants.MAGIC_VARIABLE_MAPPING.values() for name in names}
    return frozenset(told | mapped)
