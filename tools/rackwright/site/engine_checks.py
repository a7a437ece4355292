"""Checks of which engine serves the models on which host."""

from __future__ import annotations

from collections.abc import Iterator

from rackwright.catalogue.findings import Finding, short
from rackwright.catalogue.inference import GROUP, VARIABLE, app_engine
from rackwright.catalogue.load import Catalogue
from rackwright.catalogue.plan import inference_of
from rackwright.catalogue.site import Site
from rackwright.errors import RackwrightError
from rackwright.site.inventory import Inventory
from rackwright.site.known import nearest


def app_engine_findings(site: Site) -> Iterator[Finding]:
    """Yield why the app cannot ask the engines directly, where it would have to."""
    if not site.hosts_of("app") or site.hosts_of("model_route"):
        return
    instances = inference_of(site)
    if not any(each["models"] for each in instances):
        # The engines' own roles say what they lack.
        return
    try:
        app_engine(instances)
    except RackwrightError as error:
        shown = ", ".join(dict.fromkeys(str(each["engine"]) for each in instances))
        yield Finding("groups", f"model_route: (no host); engines: {shown}", error.message, error.hint or "")


def engine_findings(inventory: Inventory, catalogue: Catalogue, tier_engine: str) -> Iterator[Finding]:
    """Yield hosts whose engine no service of the catalogue is.

    Args:
        inventory: The site's.
        catalogue: The services.
        tier_engine: The engine of the site's tier; empty where that is not known.
    """
    engines = catalogue.selectable(VARIABLE)
    told: set[str] = set()
    for name in inventory.members(GROUP):
        variables = inventory.hosts[name].variables
        try:
            given = variables.get(VARIABLE) or ""
        except RackwrightError as error:
            yield Finding(VARIABLE, "(unusable)", error.message, error.hint or "", f"host {name}")
            continue
        variable, engine = (VARIABLE, given) if given else ("tier_overrides.inference.engine", tier_engine)
        if not engine or engine in engines or str(engine) in told:
            continue
        # What the whole site says is said once.
        told.add(str(engine))
        meant = nearest(str(engine), engines)
        yield Finding(
            variable,
            short(engine),
            f"no service of the catalogue is this engine; the engines are {', '.join(engines)}",
            f"write `{VARIABLE}: {meant or engines[0]}`"
            if engines
            else f"give a service the key `when: {{{VARIABLE}: …}}`",
            f"host {name}",
        )
