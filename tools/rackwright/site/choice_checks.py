"""Checks of what a site chooses one of: its vector store, its object store."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from rackwright.catalogue.choices import CHOICES, Choice
from rackwright.catalogue.findings import Finding, short
from rackwright.catalogue.load import Catalogue
from rackwright.errors import RackwrightError
from rackwright.site.inventory import Inventory
from rackwright.site.known import nearest


def choice_findings(
    inventory: Inventory, catalogue: Catalogue, choices: Mapping[str, str]
) -> Iterator[Finding]:
    """Yield choices that do not exist, differ between hosts, or that no host could run.

    Args:
        inventory: The site's.
        catalogue: The services.
        choices: What the site has chosen, by variable.
    """
    for variable, choice in CHOICES.items():
        chosen = choices[variable]
        names = list(dict.fromkeys((*choice.without, *catalogue.selectable(variable))))
        if chosen not in names:
            meant = nearest(chosen, names) or names[0]
            rule = f"there is no {choice.what} of this name; there are {', '.join(names)}"
            yield Finding(variable, short(chosen), rule, f"write `{variable}: {meant}`")
            continue
        yield from _differing(inventory, variable, choice, chosen)
        if chosen not in choice.without:
            yield from _place_findings(inventory, catalogue, variable, choice, chosen)
        yield from _companion_findings(inventory, variable, choice, chosen)


def _differing(inventory: Inventory, variable: str, choice: Choice, chosen: str) -> Iterator[Finding]:
    for name in inventory.members("platform"):
        variables = inventory.hosts[name].variables
        try:
            given = variables.get(variable) or chosen
        except RackwrightError as error:
            yield Finding(variable, "(unusable)", error.message, error.hint or "", f"host {name}")
            return
        if given != chosen:
            rule = f"the site has one {choice.what}, and elsewhere it is {chosen}"
            yield Finding(variable, short(given), rule, "say it once, in group_vars/all", f"host {name}")


def _place_findings(
    inventory: Inventory, catalogue: Catalogue, variable: str, choice: Choice, chosen: str
) -> Iterator[Finding]:
    hosts = inventory.members(choice.group)
    if not hosts:
        yield Finding(
            variable,
            chosen,
            f"it runs on the hosts of the group {choice.group}, and that has none",
            f"put a host of the data zone into {choice.group}, or write `{variable}: {choice.without[0]}`",
            f"group {choice.group}",
        )
    if chosen in choice.alone and len(hosts) > 1:
        yield Finding(
            f"groups.{choice.group}",
            short(", ".join(hosts)),
            f"{chosen} runs on one host; on several each would keep a part, and none all of it",
            f"leave one host in the group {choice.group}, the one with the most space",
            f"group {choice.group}",
        )
    in_container = any(
        service.container for service in catalogue.services.values() if service.when.get(variable) == chosen
    )
    for name in hosts if in_container else ():
        if name not in inventory.members("container_hosts"):
            yield Finding(
                variable,
                chosen,
                "it runs in a container, and this host has no container engine",
                f"put {name} into the group container_hosts",
                f"host {name}",
            )


def _companion_findings(
    inventory: Inventory, variable: str, choice: Choice, chosen: str
) -> Iterator[Finding]:
    for group, values in choice.companions.items():
        hosts = inventory.members(group)
        if hosts and chosen not in values:
            yield Finding(
                f"groups.{group}",
                short(", ".join(hosts)),
                f"{group} goes with {variable}: {' or '.join(values)}, and the site has {chosen}",
                f"take its hosts out of the group {group}, or write `{variable}: {values[0]}`",
                f"group {group}",
            )
