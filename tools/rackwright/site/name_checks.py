"""Checks of names: groups that nobody reads, variables that nobody knows, secrets that are not there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from rackwright.catalogue.findings import Finding, short
from rackwright.catalogue.load import Catalogue
from rackwright.catalogue.model import Caller
from rackwright.catalogue.site import ZONE_PREFIX
from rackwright.errors import RackwrightError
from rackwright.site.inventory import Inventory
from rackwright.site.known import known_variables, nearest, role_options
from rackwright.site.plain import Value

# Groups with a meaning that no service gives them.
FIXED_GROUPS = frozenset({"all", "ungrouped", "platform", "outside", "monitoring", "container_hosts", "gpu"})

# A variable that only the inventory's own expressions read begins so.
HELPER_PREFIX = "my_"
# Molecule lays an inventory of its own, with its own variables, under every scenario's.
MOLECULE_PREFIX = "molecule_"
HELPER_HINT = (
    "correct its name or remove it (docs/variables.md); "
    f"a variable that only the inventory itself reads begins with {HELPER_PREFIX}"
)


def group_findings(inventory: Inventory, catalogue: Catalogue) -> Iterator[Finding]:
    """Yield groups of the inventory that neither the catalogue nor the platform knows."""
    known = {
        *FIXED_GROUPS,
        *(f"{ZONE_PREFIX}{zone}" for zone in catalogue.zone_policy),
        *(service.group for service in catalogue.services.values()),
    }
    for service in catalogue.services.values():
        for port in service.ports.values():
            callers = (Caller.parse(text) for text in port.callers)
            known |= {caller.name for caller in callers if caller.kind == "group"}
    for group, members in inventory.groups.items():
        if group not in known:
            meant = nearest(group, known)
            yield Finding(
                "groups",
                group,
                "no service, zone or play knows this inventory group; it holds "
                f"{', '.join(members) or 'no host'}",
                f"did you mean `{meant}`?" if meant else f"the groups are {', '.join(sorted(known))}",
                where=f"group {group}",
            )


def variable_findings(inventory: Inventory, secrets: Mapping[str, Value]) -> Iterator[Finding]:
    """Yield variables of the inventory that nothing reads: misspelt ones, most often."""
    known = known_variables(secrets)
    for definition in inventory.definitions:
        if definition.name in known or definition.name.startswith((HELPER_PREFIX, MOLECULE_PREFIX)):
            continue
        meant = nearest(definition.name, known)
        yield Finding(
            definition.name,
            "(set)",
            "no role, play or command reads a variable of this name",
            f"did you mean `{meant}`?" if meant else HELPER_HINT,
            where=definition.origin or definition.owner,
        )


def secret_findings(
    variables: Mapping[str, Value], secrets: Value, inventory: Inventory
) -> Iterator[Finding]:
    """Yield the secrets that the site's vault lacks; one finding when it lacks them all."""
    if not isinstance(secrets, Mapping):
        return
    missing = [f"vault_{name}" for name in secrets if f"vault_{name}" not in variables]
    options = " ".join(f"-i {source}" for source in inventory.sources)
    hint = f"rackwright secrets init {options}"
    if missing and len(missing) == len(secrets):
        yield Finding(
            ", ".join(missing),
            "(absent)",
            "the site has no vault: none of its secrets is defined",
            hint,
            where=f"{inventory.sources[-1]}/group_vars/all/vault.yml",
        )
        return
    for name in missing:
        yield Finding(name, "(absent)", "the site's vault lacks this secret", hint)
    for name in (f"vault_{name}" for name in secrets if f"vault_{name}" in variables):
        try:
            value = variables[name]
        except RackwrightError as error:
            yield Finding(name, "(unreadable)", error.message, error.hint or hint)
            continue
        if not isinstance(value, str) or not value:
            yield Finding(name, "(not shown)", "a secret is text and not empty", hint)


def option_findings(inventory: Inventory) -> Iterator[Finding]:
    """Yield options of roles that the inventory sets to something else than their argument spec wants."""
    from ansible.module_utils.common.arg_spec import ArgumentSpecValidator  # noqa: PLC0415 - slow to import

    options = role_options()
    names = {definition.name for definition in inventory.definitions} & set(options)
    for name in sorted(names):
        # Nothing else is set here, so what other options require cannot be asked.
        spec = {key: value for key, value in options[name].items() if key not in {"required", "description"}}
        seen: set[str] = set()
        for host in inventory.hosts.values():
            if name not in host.variables:
                continue
            try:
                value = host.variables[name]
            except RackwrightError as error:
                yield Finding(name, "(unusable)", error.message, error.hint or "", f"host {host.name}")
                # One definition serves most hosts; the other hosts' errors would say the same.
                break
            for message in ArgumentSpecValidator({name: spec}).validate({name: value}).error_messages:
                if message not in seen:
                    seen.add(message)
                    shown = "(not shown)" if spec.get("no_log") else short(value)
                    yield Finding(
                        name,
                        shown,
                        message,
                        "the role's README has the type of each option",
                        f"host {host.name}",
                    )
