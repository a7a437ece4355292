"""A site as a switch sees it: which hosts serve which model, with what room."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rackwright.errors import RackwrightError
from rackwright.models.catalogue import models_of
from rackwright.models.store.files import StoreError
from rackwright.models.switch.room import Room
from rackwright.models.switch.target import Target, need_mb
from rackwright.site.inventory import Inventory, load_inventory
from rackwright.site.load import load_site
from rackwright.sizing.report import size_site

ENGINE = "llama_cpp"
VARIABLE = "llama_cpp_model"


@dataclass(frozen=True)
class Serving:
    """The hosts of one engine.

    Attributes:
        inventory: The site's.
        hosts: Those that the engine runs on.
        settings: The engine's numbers on each.
        callers: The hosts of the app.
        route: Whether there is an address for all engines.
    """

    inventory: Inventory
    hosts: tuple[str, ...]
    settings: Mapping[str, Mapping[str, Any]]
    callers: tuple[str, ...]
    route: bool

    @property
    def variables(self) -> Mapping[str, Any]:
        """The variables of the first of the hosts."""
        return self.inventory.hosts[self.hosts[0]].variables

    def current(self) -> Mapping[str, Any]:
        """Return what the site serves now.

        Raises:
            StoreError: Its hosts serve different models.
        """
        found = [dict(self.inventory.hosts[host].variables[VARIABLE]) for host in self.hosts]
        if any(each != found[0] for each in found):
            raise StoreError(
                f"the hosts serve different models ({', '.join(str(each['name']) for each in found)})",
                hint=f"a switch is for all of an engine's hosts; define {VARIABLE} for all of them",
            )
        return found[0]

    def rooms(self, old: Target, new: Target) -> dict[str, Room]:
        """Return what each host has for the two models."""
        models, rooms = models_of(self.variables), {}
        cache = int(self.variables.get("llama_cpp_prompt_cache_mb") or 0)
        for host in self.hosts:
            numbers = self.settings[host]
            shape = (models, int(numbers["context_tokens"]), int(numbers["parallel"]), cache)
            rooms[host] = Room(
                host, int(numbers["memory_mb"]), old=need_mb(old, *shape), new=need_mb(new, *shape)
            )
        return rooms


def serving_of(sources: Sequence[Path], engine: str) -> Serving:
    """Read a site.

    Raises:
        RackwrightError: No host runs the engine, a switch of it is not known, or a host's size is not.
    """
    if engine != ENGINE:
        raise StoreError(
            f"a switch of {engine} is not known, only of {ENGINE}",
            hint=f"change the variables of roles/{engine} and run `rackwright apply`",
        )
    inventory, site = load_inventory(sources), load_site(sources)
    hosts = tuple(host.name for host in site.hosts_of(engine))
    if not hosts:
        raise StoreError(f"no host of the site runs {engine}", hint="--engine names another one")
    settings = {}
    for report in size_site(inventory, site):
        if report.name not in hosts:
            continue
        if report.sizing is None:
            raise report.problem or RackwrightError(f"{report.name} has no sizing")
        settings[report.name] = dict(report.sizing.services[engine].settings.values)
    return Serving(
        inventory, hosts, settings, inventory.members("app"), bool(inventory.members("model_route"))
    )
