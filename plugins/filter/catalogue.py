"""The catalogue for plays: a host's plan, and the probe matrix of the tests.

Thin: everything is done by `rackwright.catalogue`; these functions take Ansible's values and give plain ones.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleFilterError

from rackwright.catalogue.choices import CHOICES, choices_of
from rackwright.catalogue.former import former_containers as containers_of_before
from rackwright.catalogue.former import former_units as units_of_before
from rackwright.catalogue.inference import serving_of
from rackwright.catalogue.load import Catalogue, load_catalogue
from rackwright.catalogue.plan import host_plan as plan_of
from rackwright.catalogue.probes import probe_matrix as matrix_of
from rackwright.catalogue.probes import tcp_ports
from rackwright.catalogue.site import Site, place
from rackwright.errors import RackwrightError
from rackwright.site.plain import plain
from rackwright.sizing.intent import Intent
from rackwright.sizing.variables import Chosen, intent_from, machine_from, options_of
from rackwright.zones.observe import global_addresses


def _site(
    services: Mapping[str, Any],
    site: Mapping[str, Any],
    more: Callable[[Catalogue, Mapping[str, Any]], Mapping[str, Any]] | None = None,
) -> Site:
    values = plain(site)
    catalogue = load_catalogue(plain(services), values.pop("zone_policy"))
    # The two lists come apart: `extract` gives values alone, in the order of its input.
    addresses = dict(zip(values.pop("names"), values.pop("addresses"), strict=True))
    return place(catalogue, addresses=addresses, **values, **(more(catalogue, values) if more else {}))


def host_plan(
    services: Mapping[str, Any],
    site: Mapping[str, Any],
    host: str,
    variables: Mapping[str, Any],
    facts: Mapping[str, Any],
    inference: Mapping[str, Mapping[str, Any]] | None = None,
) -> dict[str, Any]:
    """Return the plan of one host.

    Args:
        services: The catalogue.
        site: zone_policy, name, domain, zones, groups, names and addresses of the hosts of `platform` and
            `outside` (two lists of one length), management_sources, package_proxy, dns_servers, ntp_servers.
        host: The host's name in the inventory.
        variables: The host's variables (`hostvars[host]`), of which the machine's size, the tier and what
            sizing leaves to the operator are read. A play's own variables and roles' defaults are not among
            them, so that a host has one plan whichever play asks.
        facts: What the host says of itself; counts where the variables do not say it.
        inference: The variables of each host of the group `inference`, of which its engine, its models and
            its GPUs are read.
    """
    intent = Intent()

    def selected(catalogue: Catalogue, values: Mapping[str, Any]) -> dict[str, Any]:
        nonlocal intent
        intent = intent_from(variables, catalogue.services)
        return {
            "serving": {str(name): serving_of(own, intent.engine) for name, own in (inference or {}).items()},
            "choices": choices_of(Chosen(variables, CHOICES), intent.choices, values["groups"]),
        }

    try:
        placed = _site(services, site, selected)
        machine = machine_from(variables, plain(facts))
        return plan_of(placed, str(host), machine, intent, options_of(variables))
    except RackwrightError as error:
        raise AnsibleFilterError(f"host_plan of {host}: {error}") from error


def probe_matrix(
    services: Mapping[str, Any], site: Mapping[str, Any], undeclared_ports: Sequence[int] = ()
) -> list[dict[str, Any]]:
    """Return [{source, dest, port, allowed}] for every pair of hosts and port; `site` as in host_plan."""
    try:
        matrix = matrix_of(_site(services, site), [int(port) for port in undeclared_ports])
    except RackwrightError as error:
        raise AnsibleFilterError(f"probe_matrix: {error}") from error
    return [
        {"source": source, "dest": dest, "port": port, "allowed": allowed}
        for (source, dest, port), allowed in matrix.items()
    ]


def zone_targets(
    services: Mapping[str, Any], addresses: Sequence[str], further: Sequence[Mapping[str, Any]] = ()
) -> list[dict[str, Any]]:
    """Return [{address, port}] for every TCP port of the catalogue on every address.

    Args:
        services: The catalogue.
        addresses: The hosts' addresses.
        further: What `ip -json address` said on each host: addresses that the inventory does not name.
    """
    told = [address for result in plain(list(further)) for address in global_addresses(result)]
    ports = tcp_ports(load_catalogue(plain(services), {}))
    everything = dict.fromkeys([*map(str, addresses), *told])
    return [{"address": address, "port": port} for address in everything for port in ports]


def former_units(services: Mapping[str, Any], variable: str, chosen: str | None) -> list[dict[str, Any]]:
    """Return items of `units` that stop what other choices of a variable run; none of it need be there."""
    return [
        {"name": unit, "former": True, "enabled": False, "state": "stopped"}
        for unit in units_of_before(plain(services), variable, chosen)
    ]


def former_containers(services: Mapping[str, Any], variable: str, chosen: str | None) -> list[str]:
    """Return the names of the containers of other choices of a variable."""
    return containers_of_before(plain(services), variable, chosen)


def site_title(name: str) -> str:
    """Return how a site is called in the names of tasks."""
    return f"the site {name}"


class FilterModule:
    """What Ansible asks for the filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {
            "former_containers": former_containers,
            "former_units": former_units,
            "host_plan": host_plan,
            "probe_matrix": probe_matrix,
            "site_title": site_title,
            "zone_targets": zone_targets,
        }
