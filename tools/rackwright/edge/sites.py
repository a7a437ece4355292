"""Turns the catalogue's routes and a site's lists of networks into what a proxy serves: sites and upstreams.

The same for every proxy, so that they cannot differ in who may do what.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

EVERYBODY = "everybody"
_ALL = ("0.0.0.0/0", "::/0")
# Pages of the front end are the site's own; its paths below /api/ are the app's.
PAGE_SITES = frozenset({"ai"})

Route = Mapping[str, Any]
Rule = Mapping[str, Any]


def upstream_name(route: Route) -> str:
    """Return the name of the upstream that a route leads to."""
    name = f"{route['service']}_{route['port']}"
    return name if route["balance"] == "least_conn" else f"{name}_{route['balance']}"


def upstreams(routes: Iterable[Route], domain: str) -> dict[str, dict[str, Any]]:
    """Return what is behind the edge by name: servers, balance, `health`, `tls_name` for TLS."""
    return {
        upstream_name(route): {
            "servers": [{"address": item["address"], "port": item["port"]} for item in route["servers"]],
            "balance": route["balance"],
            "health": route["health"],
            # The name that certificates of the catalogue carry (plan.py); none: plain HTTP.
            "tls_name": f"{route['service'].replace('_', '-')}.{domain}" if route["tls"] else "",
        }
        for route in routes
    }


def sites(
    routes: Iterable[Route],
    access: Mapping[str, Iterable[str]],
    rules: Iterable[Rule] = (),
    client_certificates: Iterable[str] = (),
) -> list[dict[str, Any]]:
    """Return the sites that the edge serves, each with its routes, the more specific first.

    Args:
        routes: `host_plan.edge`.
        access: `edge_access`: name -> networks. A route whose list is empty is not served.
        rules: `edge_rules`: {site, path, networks}; in place of the list of the route that the path is in.
        client_certificates: Sites that ask for a client's certificate.
    """
    found: dict[str, list[dict[str, Any]]] = {}
    for route in routes:
        found.setdefault(str(route["site"]), []).append(
            {
                "path": route["path"],
                "exact": route["exact"],
                "upstream": upstream_name(route),
                "networks": list(_ALL if route["access"] == EVERYBODY else access[route["access"]]),
                **{key: route[key] for key in ("limit", "websocket", "page", "log")},
            }
        )
    for rule in rules:
        _apply(found.get(str(rule["site"]), []), rule)
    asked = frozenset(client_certificates)
    return [
        {
            "name": name,
            "page": name in PAGE_SITES,
            "client_certificate": name in asked,
            "routes": sorted(served, key=lambda item: (not item["exact"], -len(item["path"]), item["path"])),
        }
        for name, listed in found.items()
        if (served := [route for route in listed if route["networks"]])
    ]


def leading(routes: Iterable[Mapping[str, Any]], path: str) -> Mapping[str, Any] | None:
    """Return the route that a path is in, the longest; None when there is none."""
    inside = [
        route
        for route in routes
        if route["path"] == path or (not route["exact"] and path.startswith(route["path"]))
    ]
    return max(inside, key=lambda route: (len(route["path"]), route["exact"]), default=None)


def _apply(routes: list[dict[str, Any]], rule: Rule) -> None:
    networks, path = list(rule["networks"]), str(rule["path"])
    route = leading(routes, path)
    if route is None:
        return
    for deeper in routes:
        # What is below the path is closed with it, also where a longer route names it.
        if deeper["path"].startswith(path):
            deeper["networks"] = networks
    if route["path"] != path:
        routes.append({**route, "path": path, "exact": not path.endswith("/"), "networks": networks})
