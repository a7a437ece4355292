"""Which variable names an inventory may use, and what a misspelt one probably meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

from rackwright.site.paths import repository_root
from rackwright.site.plain import Value
from rackwright.site.variables import variable_names
from rackwright.site.yaml_files import read_yaml

# The plugins whose settings an inventory of this project can use: (kind, name).
_ANSIBLE_PLUGINS = (("connection", "ssh"), ("become", "sudo"), ("shell", "sh"))


def project_variables() -> frozenset[str]:
    """Return the keys of the project's own group_vars/all; a site may override each."""
    names: set[str] = set()
    for path in sorted((repository_root() / "group_vars/all").glob("*.yml")):
        names |= set(read_yaml(path) or {})
    return frozenset(names)


@cache
def role_specs(roles: Path) -> Mapping[str, Mapping[str, Value]]:
    """Return role -> option -> its entry in the argument spec, over all entry points of each role."""
    found: dict[str, dict[str, Value]] = {}
    for path in sorted(roles.glob("*/meta/argument_specs.yml")):
        specs = read_yaml(path)["argument_specs"]
        options: dict[str, Value] = {}
        for entry in specs.values():
            options |= entry.get("options") or {}
        found[path.parts[-3]] = options
    return found


def role_options(roles: Path | None = None) -> Mapping[str, Value]:
    """Return every option of every role's argument spec, by name."""
    specs = role_specs(roles or repository_root() / "roles")
    return {name: spec for options in specs.values() for name, spec in options.items()}


def ansible_variables() -> frozenset[str]:
    """Return the variables by which the plugins in use are set (ansible_host, ansible_user, …).

    Asked of Ansible itself, so the list is that of the installed version.
    """
    from ansible import constants  # noqa: PLC0415 - reads its configuration when it is imported
    from ansible.plugins import loader  # noqa: PLC0415

    # The interpreter's variable is documented by no plugin.
    names: set[str] = {"ansible_python_interpreter"}
    for aliases in constants.MAGIC_VARIABLE_MAPPING.values():
        names |= set(aliases)
    loaders = {
        "connection": loader.connection_loader,
        "become": loader.become_loader,
        "shell": loader.shell_loader,
    }
    for kind, plugin in _ANSIBLE_PLUGINS:
        loaders[kind].find_plugin(plugin)
        loaders[kind].get(plugin, None, class_only=True)
        for definition in constants.config.get_configuration_definitions(kind, plugin).values():
            names |= {entry["name"] for entry in definition.get("vars", [])}
    return frozenset(name for name in names if name.startswith("ansible_"))


def known_variables(secrets: Iterable[str]) -> frozenset[str]:
    """Return every name that an inventory may set, whoever reads it."""
    return (
        project_variables()
        | variable_names()
        | frozenset(role_options())
        | ansible_variables()
        | frozenset(f"vault_{name}" for name in secrets)
    )


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that is most like a misspelt one, when one is near enough."""
    matches = difflib.get_close_matches(name, sorted(known), n=1, cutoff=0.75)
    return matches[0] if matches else None
