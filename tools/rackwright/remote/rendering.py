"""Renders a role's template on the control node as Ansible's action `template` does."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail, AnsibleError
from ansible.template import trust_as_template

MANAGED = "Managed by Rackwright: the next run overwrites what is changed here"
_OPTIONS = {"trim_blocks": True, "lstrip_blocks": False}


def found(action: Any, kind: str, name: str) -> str:  # noqa: ANN401 - Ansible ships no types
    """Return the path of a role's file.

    Args:
        action: The action that looks for it.
        kind: `templates` or `files`.
        name: Path below that directory, or an absolute one.

    Raises:
        AnsibleActionFail: There is none.
    """
    try:
        return str(action._find_needle(kind, name))  # noqa: SLF001 - what actions have for it
    except AnsibleError as error:
        raise AnsibleActionFail(f"{name} is not among the role's {kind}") from error


def rendered(
    action: Any,  # noqa: ANN401
    name: str,
    dest: str,
    task_vars: Mapping[str, Any],
    extra: Mapping[str, Any] | None = None,
) -> str:
    """Return the text of a template.

    Args:
        action: The action that renders it.
        name: Path below the role's templates.
        dest: What it is for; told when it cannot be rendered.
        task_vars: The variables of the task.
        extra: Further variables.

    Raises:
        AnsibleActionFail: There is no such template, or it cannot be rendered.
    """
    source = found(action, "templates", name)
    loader = action._loader  # noqa: SLF001
    search = [*task_vars.get("ansible_search_path", []), loader.get_basedir(), str(Path(source).parent)]
    paths = [place for path in search for place in (str(Path(path) / "templates"), path)]
    variables = {"ansible_managed": MANAGED, **task_vars, "template_path": name, **(extra or {})}
    templar = action._templar.copy_with_new_env(searchpath=paths, available_variables=variables)  # noqa: SLF001
    text = trust_as_template(loader.get_text_file_contents(source))
    try:
        made = templar.template(text, escape_backslashes=False, overrides=_OPTIONS)
    except AnsibleError as error:
        raise AnsibleActionFail(f"{name} for {dest} cannot be rendered") from error
    return "" if made is None else str(made)
