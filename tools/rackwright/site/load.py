"""A site of the catalogue from an inventory: for the commands; plays hand the same values to the filters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from rackwright.catalogue.choices import choices_of
from rackwright.catalogue.inference import GROUP, Serving, engine_of, models_of
from rackwright.catalogue.load import load_catalogue
from rackwright.catalogue.site import Site, place
from rackwright.errors import RackwrightError
from rackwright.site.inventory import Inventory, load_inventory
from rackwright.site.plain import Value
from rackwright.sizing.variables import intent_from


def load_site(sources: Sequence[Path]) -> Site:
    """Read an inventory and place the catalogue on its hosts.

    Raises:
        RackwrightError: The inventory cannot be read, lacks a value, or the catalogue is wrong.
    """
    return site_of(load_inventory(sources))


def site_of(inventory: Inventory) -> Site:
    """Place the catalogue on the hosts of an inventory that has been read.

    Raises:
        RackwrightError: As `load_site`.
    """
    variables = inventory.site_variables()

    def required(name: str) -> Value:
        try:
            return variables[name]
        except KeyError:
            raise RackwrightError(
                f"{name} is not set in the inventory", hint="`rackwright validate` says all that is missing"
            ) from None

    catalogue = load_catalogue(required("services"), required("zone_policy"))
    intent = intent_from(variables, catalogue.services)
    named = (*inventory.members("platform"), *inventory.members("outside"))
    return place(
        catalogue,
        name=required("site_name"),
        domain=required("domain"),
        groups=inventory.groups,
        addresses={name: inventory.hosts[name].variables.get("ansible_host", "") for name in named},
        zones=required("zones"),
        management_sources=required("management_sources"),
        package_proxy=variables.get("package_proxy", ""),
        dns_servers=variables.get("dns_servers", []),
        ntp_servers=variables.get("ntp_servers", []),
        egress=variables.get("egress_allowed", []),
        sign_in_provider=variables.get("sign_in_provider", {}),
        serving={
            name: _serving(inventory.hosts[name].variables, intent.engine)
            for name in inventory.members(GROUP)
        },
        choices=choices_of(variables, intent.choices, inventory.groups),
    )


def _serving(variables: Mapping[str, Value], tier_engine: str) -> Serving:
    engine = engine_of(variables, tier_engine)
    try:
        return Serving(engine, models_of(engine, variables))
    except RackwrightError:
        # A model that has not been made yet (a lab before it is started): its host can be placed as well.
        return Serving(engine)
