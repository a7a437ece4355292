"""What the edge serves, for its roles. Thin: `rackwright.edge` does it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from rackwright.edge import answers, certificate, limits, problems, sites
from rackwright.site.plain import plain

DOCUMENTATION = r"""
name: edge_sites
short_description: The sites that the edge serves, from the routes of a host's plan
positional: _input, access, rules, client_certificates
options:
  _input: {description: C(host_plan.edge)., type: list, elements: dict, required: true}
  access: {description: Networks by name (C(edge_access))., type: dict, required: true}
  rules: {description: Networks of single paths (C(edge_rules))., type: list, elements: dict}
  client_certificates: {description: Sites that ask for a client's certificate., type: list, elements: str}
author: [Rackwright]
"""

EXAMPLES = r"""
sites: "{{ host_plan.edge | edge_sites(edge_access) }}"
"""

RETURN = r"""
_value:
  description: Sites with name, page, client_certificate and routes.
  type: list
  elements: dict
"""


def edge_sites(
    routes: list[dict[str, Any]],
    access: dict[str, list[str]],
    rules: list[dict[str, Any]] | None = None,
    client_certificates: list[str] | None = None,
) -> list[dict[str, Any]]:
    """Return the sites that the edge serves."""
    return sites.sites(plain(routes), plain(access), plain(rules or []), plain(client_certificates or []))


def edge_upstreams(routes: list[dict[str, Any]], domain: str) -> dict[str, Any]:
    """Return what is behind the edge, by name."""
    return sites.upstreams(plain(routes), str(domain))


def certificate_problems(settings: dict[str, str], names: list[str], variable: str = "edge_tls") -> list[str]:
    """Return what is wrong with a certificate and its key (PEM texts) for these names."""
    return certificate.problems(plain(settings), [str(name) for name in names], variable)


def site_path(path: str, directory: str) -> str:
    """Return a path as it is when it is absolute, else below the inventory's directory."""
    return str(Path(str(directory)) / str(path))


def url_address(address: str) -> str:
    """Return an address as it stands before a port: an IPv6 one in brackets."""
    return f"[{address}]" if ":" in str(address) else str(address)


def edge_former(units: list[str]) -> list[dict[str, Any]]:
    """Return what the block `units` does with the proxies that a site had before."""
    return [{"name": str(unit), "former": True, "enabled": False, "state": "stopped"} for unit in units]


def edge_traefik(settings: dict[str, Any]) -> dict[str, Any]:
    """Return what Traefik's file provider reads, of the variables of its role."""
    from rackwright.edge.traefik.configuration import configuration  # noqa: PLC0415 - for the sites that have it

    return configuration({name.removeprefix("traefik_"): value for name, value in plain(settings).items()})


def edge_problems(settings: dict[str, Any], role: str) -> list[str]:
    """Return what is wrong with the variables of a proxy's role, one sentence for each."""
    return problems.problems(str(role), plain(settings))


def edge_errors(upload_limit_mb: int) -> dict[int, str]:
    """Return what a proxy says of itself with each status."""
    return answers.errors(int(upload_limit_mb))


def edge_said(name: str) -> object:
    """Return one of what proxies have in common: `CIPHERS`, `CACHING`, `NOT_BELIEVED`, …."""
    found = getattr(answers, str(name))
    return (
        [list(item) if isinstance(item, tuple) else item for item in found]
        if isinstance(found, tuple)
        else found
    )


def edge_window(rate: int, burst: int) -> dict[str, int]:
    """Return `period_ms` and `most`: the window that lets through what a rate with a burst does."""
    found = limits.window(int(rate), int(burst))
    return {"period_ms": found.period_ms, "most": found.most}


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., object]]:
        """Return the filters by name."""
        return {
            "edge_errors": edge_errors,
            "edge_former": edge_former,
            "edge_traefik": edge_traefik,
            "edge_problems": edge_problems,
            "edge_said": edge_said,
            "edge_sites": edge_sites,
            "edge_upstreams": edge_upstreams,
            "edge_window": edge_window,
            "certificate_problems": certificate_problems,
            "site_path": site_path,
            "url_address": url_address,
        }
