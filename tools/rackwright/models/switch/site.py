"""A site as a switch sees it: which hosts serve which models, with what room, and who asks them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rackwright.catalogue.inference import api_port
from rackwright.errors import RackwrightError
from rackwright.models.store.files import StoreError
from rackwright.models.switch.needs import Host, room_of
from rackwright.models.switch.room import Room
from rackwright.models.switch.target import Target
from rackwright.models.switch.ways import WAYS, Value, Way, way_of
from rackwright.site.inventory import Inventory, load_inventory
from rackwright.site.load import load_site
from rackwright.site.plain import plain
from rackwright.sizing.report import size_site


@dataclass(frozen=True)
class Serving:
    """The hosts of one engine.

    Attributes:
        way: The engine's.
        inventory: The site's.
        hosts: Those that the engine runs on.
        ports: Of its instances, in their order.
        callers: The hosts of the app.
        route: Whether there is an address for all engines.
    """

    way: Way
    inventory: Inventory
    hosts: Mapping[str, Host]
    ports: Sequence[int]
    callers: tuple[str, ...]
    route: bool

    @property
    def variables(self) -> Mapping[str, Any]:
        """The variables of the first of the hosts."""
        return next(iter(self.hosts.values())).variables

    def current(self) -> Value:
        """Return what the site serves now.

        Raises:
            StoreError: Nothing is named, or its hosts serve different models.
        """
        variable = self.way.variable
        found = {
            name: plain(host.variables[variable])
            for name, host in self.hosts.items()
            if variable in host.variables
        }
        if len(found) < len(self.hosts):
            nameless = sorted(set(self.hosts) - set(found))
            raise StoreError(
                f"{variable} is not defined for {', '.join(nameless)}", hint="name what is served there"
            )
        first = next(iter(found.values()))
        if any(each != first for each in found.values()):
            raise StoreError(
                f"{variable} differs between {', '.join(found)}",
                hint=f"a switch is for all of an engine's hosts; define {variable} for all of them",
            )
        return first

    def rooms(self, value: Value, new: Target) -> dict[str, Room]:
        """Return what each host has for the models."""
        return {name: room_of(self.way, host, value, new) for name, host in self.hosts.items()}


def serving_of(sources: Sequence[Path], engine: str | None) -> Serving:
    """Read a site.

    Args:
        sources: Inventory sources.
        engine: Whose hosts are switched; None for the only engine that the site has.

    Raises:
        RackwrightError: No host runs it, there are several to choose from, or a host's size is not known.
    """
    inventory, site = load_inventory(sources), load_site(sources)
    running = [name for name in WAYS if site.hosts_of(name)]
    if engine is None:
        if len(running) != 1:
            told = (
                f"the site has the engines {', '.join(running)}"
                if running
                else "no host of the site runs an engine"
            )
            raise StoreError(
                told, hint="name the one to switch with --engine" if running else "see docs/engines"
            )
        engine = running[0]
    way = way_of(engine)
    names = [host.name for host in site.hosts_of(engine)]
    if not names:
        there = f": it has {', '.join(running)}" if running else ""
        raise StoreError(f"no host of the site runs {engine}{there}", hint="--engine names another one")
    hosts = {}
    for report in size_site(inventory, site):
        if report.name not in names:
            continue
        if report.sizing is None:
            raise report.problem or RackwrightError(f"{report.name} has no sizing")
        settings = dict(report.sizing.services[engine].settings.values)
        hosts[report.name] = Host(report.name, inventory.hosts[report.name].variables, settings)
    ports = site.catalogue.services[engine].ports
    numbers = [ports[api_port(number)].port for number in range(len(ports)) if api_port(number) in ports]
    return Serving(
        way,
        inventory,
        {name: hosts[name] for name in names},
        numbers,
        inventory.members("app"),
        bool(inventory.members("model_route")),
    )
