"""A site's inventory, read by Ansible itself and templated, in this process.

What this returns is what a play would see: the same parsers, the same precedence, the same vault. Nothing
is asked of any host.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from rackwright.errors import RackwrightError
from rackwright.site.paths import repository_root
from rackwright.site.plain import Value, plain

# Ansible ships no types.
AnsibleObject: TypeAlias = Any

VAULT_HINT = (
    "make the vault with `rackwright secrets init -i <inventory>`, or let RACKWRIGHT_VAULT_PASSWORD_FILE "
    "name the file with the password that it was made with"
)


# What was read for the play of this process: its sources, its own list of secrets, the inventory.
_OF_PLAY: list[tuple[tuple[Path, ...], AnsibleObject, Inventory]] = []


class TemplatedVariables(Mapping[str, Any]):
    """The variables of one host, each templated when it is first asked for, then kept.

    Raises KeyError for a name that is not set, RackwrightError for a value that cannot be templated (an
    undefined variable in it, a vault that cannot be read).
    """

    def __init__(self, host: str, raw: Mapping[str, Value], templar: AnsibleObject) -> None:
        self._host = host
        self._raw = raw
        self._templar = templar
        self._done: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Value:
        """Return the templated value."""
        if name not in self._done:
            raw = self._raw[name]
            try:
                self._done[name] = plain(self._templar.template(raw))
            except Exception as error:
                # Ansible raises many kinds here; all of them mean that a play could not use the value.
                raise RackwrightError(
                    f"{name} of host {self._host} cannot be templated: {_one_line(error)}",
                    hint="define the variable or make the file that it names, or correct the expression",
                ) from error
        return self._done[name]

    def __contains__(self, name: object) -> bool:
        """Tell whether a variable is set; its value may still be impossible to template."""
        return name in self._raw

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names."""
        return iter(self._raw)

    def __len__(self) -> int:
        """Return how many variables are set."""
        return len(self._raw)


@dataclass(frozen=True)
class Definition:
    """One place where the inventory sets a variable: not the project's own group_vars.

    Attributes:
        name: The variable.
        owner: `group all`, `host data1`, …
        origin: `path:line` as Ansible tells it, or an empty string.
    """

    name: str
    owner: str
    origin: str


@dataclass(frozen=True)
class Host:
    """A host: its name, all groups that it is in (`all` too), and its variables, templated."""

    name: str
    groups: tuple[str, ...]
    variables: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True)
class Inventory:
    """A site's inventory.

    Attributes:
        sources: The paths it was read from, absolute.
        hosts: By name, in the inventory's order.
        groups: Group -> names of all its hosts, those of child groups included; `all` and `ungrouped` too.
        definitions: What the inventory itself sets, and where.
    """

    sources: tuple[Path, ...]
    hosts: Mapping[str, Host]
    groups: Mapping[str, tuple[str, ...]]
    definitions: tuple[Definition, ...] = field(repr=False)

    def members(self, group: str) -> tuple[str, ...]:
        """Return the names of a group's hosts; none for a group that does not exist."""
        return self.groups.get(group, ())

    def site_variables(self) -> Mapping[str, Any]:
        """Return the variables of any one host of `platform`: what the site says for all its hosts.

        Raises:
            RackwrightError: The group `platform` has no host.
        """
        for name in self.members("platform"):
            return self.hosts[name].variables
        raise RackwrightError(
            f"the inventory {', '.join(map(str, self.sources))} has no host in the group `platform`",
            hint="put the zones' groups under it: platform: {children: {zone_dmz: {}, …}}",
        )


def prepare_ansible() -> None:
    """Let this process and its children use the project's ansible.cfg, from any working directory.

    Must run before Ansible is first imported: it reads its configuration then. An ANSIBLE_CONFIG that the
    operator has set stays.
    """
    os.environ.setdefault("ANSIBLE_CONFIG", str(repository_root() / "ansible.cfg"))


def load_inventory(sources: Sequence[Path], vault_secrets: AnsibleObject = None) -> Inventory:
    """Read an inventory as ansible-playbook does, with the project's group_vars as the weakest values.

    Args:
        sources: Inventory files or directories; later ones win.
        vault_secrets: Ansible's vault secrets where a running play has them already; None asks the
            configured vault_password_file. A play's inventory is read once, as Ansible itself does.

    Raises:
        RackwrightError: A source that is missing or cannot be parsed, a vault that cannot be opened.
    """
    if vault_secrets is None:
        return _read(sources, None)
    for read, secrets, inventory in _OF_PLAY:
        if secrets is vault_secrets and read == tuple(sources):
            return inventory
    inventory = _read(sources, vault_secrets)
    _OF_PLAY[:] = [(tuple(sources), vault_secrets, inventory)]
    return inventory


def _read(sources: Sequence[Path], vault_secrets: AnsibleObject) -> Inventory:
    prepare_ansible()
    # Ansible reads its configuration on import, so it is imported after that is settled, and commands that
    # need no inventory start without it.
    from ansible import constants  # noqa: PLC0415
    from ansible.errors import AnsibleError  # noqa: PLC0415
    from ansible.inventory.manager import InventoryManager  # noqa: PLC0415
    from ansible.parsing.dataloader import DataLoader  # noqa: PLC0415
    from ansible.plugins.loader import init_plugin_loader  # noqa: PLC0415
    from ansible.template import Templar  # noqa: PLC0415
    from ansible.utils.collection_loader import AnsibleCollectionConfig  # noqa: PLC0415
    from ansible.vars.manager import VariableManager  # noqa: PLC0415

    paths = tuple(Path(source).expanduser().resolve() for source in sources)
    for path in paths:
        if not path.exists():
            raise RackwrightError(f"inventory {path}: not there", hint="name it with -i PATH")
    # Without it no lookup of a collection is found, `ansible.builtin` included. A play has done it already.
    if AnsibleCollectionConfig.collection_finder is None:
        init_plugin_loader()
    # A source that cannot be parsed would be a warning and a site without hosts.
    constants.INVENTORY_ANY_UNPARSED_IS_FAILED = True
    loader = DataLoader()
    loader.set_basedir(str(repository_root()))
    try:
        loader.set_vault_secrets(_vault_secrets(loader) if vault_secrets is None else vault_secrets)
        manager = InventoryManager(loader=loader, sources=[str(path) for path in paths])
        variables = VariableManager(loader=loader, inventory=manager)
        groups = {
            name: tuple(host.name for host in group.get_hosts()) for name, group in manager.groups.items()
        }
        names = [host.name for host in manager.get_hosts("all", ignore_limits=True, ignore_restrictions=True)]
        hosts = {}
        for host in manager.get_hosts("all", ignore_limits=True, ignore_restrictions=True):
            raw = variables.get_vars(host=host, include_hostvars=False, _hosts=names, _hosts_all=names)
            # A documented name, which is empty where no command line of Ansible's was read.
            raw["ansible_inventory_sources"] = [str(path) for path in paths]
            templar = Templar(loader=loader, variables=raw)
            member_of = tuple(str(group.name) for group in host.get_groups())
            hosts[str(host.name)] = Host(
                str(host.name), member_of, TemplatedVariables(host.name, raw, templar)
            )
        definitions = tuple(_definitions(loader, manager))
    except AnsibleError as error:
        message = _one_line(error)
        hint = VAULT_HINT if "vault" in message.lower() or "decrypt" in message.lower() else None
        raise RackwrightError(
            f"inventory {', '.join(map(str, paths))} cannot be read: {message}", hint=hint
        ) from error
    return Inventory(paths, hosts, groups, definitions)


def _vault_secrets(loader: AnsibleObject) -> list[tuple[str, AnsibleObject]]:
    """Return the secrets that the configured vault_password_file gives; none where none is configured."""
    from ansible import constants  # noqa: PLC0415
    from ansible.parsing.vault import get_file_vault_secret  # noqa: PLC0415

    if not constants.DEFAULT_VAULT_PASSWORD_FILE:
        return []
    secret = get_file_vault_secret(filename=constants.DEFAULT_VAULT_PASSWORD_FILE, loader=loader)
    secret.load()
    return [(constants.DEFAULT_VAULT_IDENTITY, secret)]


def _definitions(loader: AnsibleObject, manager: AnsibleObject) -> Iterable[Definition]:
    """Say what the inventory sets, entity by entity, from its files and its group_vars and host_vars."""
    from ansible.vars.plugins import get_vars_from_inventory_sources  # noqa: PLC0415

    entities = [(f"group {name}", group) for name, group in manager.groups.items()]
    entities += [(f"host {host.name}", host) for host in manager.hosts.values()]
    sources = manager._sources  # noqa: SLF001 - the same list that VariableManager takes from it
    for owner, entity in entities:
        beside = get_vars_from_inventory_sources(loader, sources, [entity], "task")
        for name in {**entity.vars, **beside}:
            # Ansible's own notes on a host, not the operator's.
            if name in {"inventory_file", "inventory_dir"}:
                continue
            yield Definition(str(name), owner, _origin(name))


def _origin(name: object) -> str:
    from ansible._internal._datatag._tags import Origin  # noqa: PLC0415

    origin = Origin.get_tag(name)
    if origin is None or not origin.path:
        return ""
    return f"{origin.path}:{origin.line_num}" if origin.line_num else str(origin.path)


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())
