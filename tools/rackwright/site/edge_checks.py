"""Checks of what a site says of its edge, as far as it takes the catalogue and the files that are named."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence

from rackwright.catalogue.edge import GROUP
from rackwright.catalogue.findings import Finding, short
from rackwright.catalogue.load import Catalogue
from rackwright.edge.certificate import problems
from rackwright.edge.sites import EVERYBODY, leading
from rackwright.site.inventory import Inventory
from rackwright.site.plain import Value

DOCS = "docs/edge.md"
# Engines that cannot be told whom to ask for the state of a certificate.
_RESPONDERS = {
    "haproxy": "HAProxy asks the responder that the certificate names",
    "traefik": "Traefik asks the responder that the certificate names",
}
_SHA256 = re.compile(r"[0-9a-fA-F]{64}")
Get = Callable[[str], Value]


def edge_findings(
    inventory: Inventory, catalogue: Catalogue, get: Get, told: Sequence[Finding]
) -> Iterator[Finding]:
    """Yield what is wrong with the lists of networks, and with the certificate that the site gives.

    Args:
        inventory: The site's inventory.
        catalogue: The catalogue.
        get: Gives a site variable, None for one that is not set or cannot be templated.
        told: Findings in the types of variables; what is wrong in itself is looked at no further.
    """
    edges = inventory.members(GROUP)
    if not edges or any(finding.variable.startswith("edge_") for finding in told):
        return
    access = {"clients": get("client_networks"), "admins": get("management_sources")}
    access |= get("edge_access") or {}
    yield from _access(catalogue, access)
    yield from _rules(catalogue, get("edge_rules") or [])
    names = _names(inventory, catalogue, access)
    certificates = get("edge_client_certificates") or {}
    for site in certificates.get("sites") or []:
        if site not in names:
            yield Finding(
                "edge_client_certificates.sites",
                site,
                "this site serves none of that name",
                f"one of {', '.join(names) or 'none'}",
            )
    tls = get("edge_tls") or {}
    if tls.get("mode") == "acme" and len(edges) > 1:
        yield Finding(
            "edge_tls.mode",
            "acme",
            f"the ACME server may ask any of {', '.join(edges)} for the answer that only one of them has",
            "fetch the certificate elsewhere and give it: {mode: provided, certificate: …, key: …}",
        )
    engine = str(get("edge_engine") or "")
    if tls.get("ocsp_responder") and engine in _RESPONDERS:
        yield Finding(
            "edge_tls.ocsp_responder",
            short(tls["ocsp_responder"]),
            f"{_RESPONDERS[engine]}, and hosts ask no resolver",
            f"leave it out, or write `edge_engine: nginx`; {DOCS}",
        )
    if engine == "traefik":
        yield from _release(get("traefik_release"))
    if tls.get("mode") == "provided":
        files = get("edge_files")
        domain = str(get("domain") or "")
        if isinstance(files, Mapping):
            for problem in problems(files, [f"{name}.{domain}" for name in names], "edge_tls"):
                variable, _, rest = problem.partition(": ")
                rule, _, hint = rest.rpartition("; ")
                value = tls.get(variable.rpartition(".")[2], "")
                yield Finding(variable, short(value), rule, hint)


def _release(release: Value) -> Iterator[Finding]:
    """Traefik is in no package source, so a site says where its release is."""
    given = release if isinstance(release, Mapping) else {}
    if not given.get("source") or not _SHA256.fullmatch(str(given.get("sha256") or "")):
        yield Finding(
            "traefik_release",
            short(release) if release else "(empty)",
            "no package source has Traefik: it comes as the archive of its release, with its checksum",
            f"{{source: /srv/bundle/traefik_v3.7.9_linux_amd64.tar.gz, sha256: <64 digits>}}; {DOCS}",
        )


def _names(inventory: Inventory, catalogue: Catalogue, access: Mapping[str, Value]) -> list[str]:
    """Return the sites that are served: those with a route to a service that some host runs."""
    return list(
        dict.fromkeys(
            route.site
            for service in catalogue.services.values()
            if inventory.members(service.group)
            for route in service.edge
            if route.access == EVERYBODY or access.get(route.access)
        )
    )


def _access(catalogue: Catalogue, access: Mapping[str, Value]) -> Iterator[Finding]:
    wanted = {route.access for service in catalogue.services.values() for route in service.edge}
    for name in sorted(wanted - {EVERYBODY} - set(access)):
        yield Finding(
            "edge_access",
            ", ".join(access) or "(empty)",
            f"routes of the catalogue name the list `{name}`, which is not there",
            f"add `{name}: [<networks>]`, or `{name}: []` to serve them to nobody",
        )


def _rules(catalogue: Catalogue, rules: Value) -> Iterator[Finding]:
    routes = [
        {"site": route.site, "path": route.path, "exact": route.exact}
        for service in catalogue.services.values()
        for route in service.edge
    ]
    for number, rule in enumerate(rules if isinstance(rules, list) else []):
        mine = [route for route in routes if route["site"] == rule.get("site")]
        if leading(mine, str(rule.get("path"))) is None:
            known = ", ".join(f"{route['site']}{route['path']}" for route in routes)
            yield Finding(
                f"edge_rules.{number}",
                f"{rule.get('site')} {rule.get('path')}",
                "no route of the catalogue holds this path, so nothing is served there",
                f"a path within one of {known}; {DOCS}",
            )
