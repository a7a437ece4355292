"""What the edge passes on: the catalogue's key `edge`, and the sites that it becomes."""

from __future__ import annotations

from typing import Any

import pytest

from rackwright.edge.sites import sites, upstreams

ACCESS = {"clients": ["10.0.0.0/8"], "admins": ["10.0.40.0/24"], "models": []}


def route(**changes: object) -> dict[str, Any]:
    """Return a route as `host_plan.edge` has it."""
    servers = [{"host": "app1", "address": "10.0.20.11", "port": 3001}]
    return {
        "site": "api",
        "path": "/api/",
        "port": "api",
        "access": "clients",
        "limit": "api",
        "balance": "least_conn",
        "health": "/health",
        "exact": False,
        "websocket": False,
        "page": False,
        "log": True,
        "service": "model_route",
        "tls": True,
        "servers": servers,
        **changes,
    }


def networks(found: list[dict[str, Any]]) -> dict[str, list[str]]:
    """Return path -> networks of the only site."""
    return {item["path"]: item["networks"] for item in found[0]["routes"]}


def test_a_route_whose_list_is_empty_is_not_served_nor_is_a_site_without_routes() -> None:
    assert sites([route(access="models")], ACCESS) == []
    assert networks(sites([route(), route(path="/v1/", access="models")], ACCESS)) == {
        "/api/": ["10.0.0.0/8"]
    }


def test_everybody_is_everybody_of_both_families() -> None:
    assert networks(sites([route(access="everybody")], ACCESS)) == {"/api/": ["0.0.0.0/0", "::/0"]}


def test_the_more_specific_stands_first() -> None:
    found = sites([route(), route(path="/api/chat", exact=True), route(path="/api/rag/")], ACCESS)

    assert [item["path"] for item in found[0]["routes"]] == ["/api/chat", "/api/rag/", "/api/"]


def test_a_rule_makes_a_location_of_its_own_that_leads_where_its_route_does() -> None:
    rule = {"site": "api", "path": "/api/admin/", "networks": ["10.0.40.0/24"]}
    found = sites([route()], ACCESS, [rule])

    assert networks(found) == {"/api/admin/": ["10.0.40.0/24"], "/api/": ["10.0.0.0/8"]}
    assert {item["upstream"] for item in found[0]["routes"]} == {"model_route_api"}


def test_a_rule_closes_what_lies_below_its_path_too() -> None:
    # Without it /api/chat, which is more specific, would stay open.
    rule = {"site": "api", "path": "/api/", "networks": ["10.0.40.0/24"]}
    found = sites([route(), route(path="/api/chat", exact=True)], ACCESS, [rule])

    assert networks(found) == {"/api/chat": ["10.0.40.0/24"], "/api/": ["10.0.40.0/24"]}


@pytest.mark.parametrize("path", ["/v2/", "/apis"])
def test_a_rule_outside_all_routes_changes_nothing(path: str) -> None:
    assert sites([route()], ACCESS, [{"site": "api", "path": path, "networks": []}]) == sites(
        [route()], ACCESS
    )


def test_an_upstream_is_verified_by_the_name_of_its_service_and_balanced_as_said() -> None:
    found = upstreams([route(), route(balance="ip_hash"), route(service="web", tls=False)], "lab.internal")

    assert found["model_route_api"]["tls_name"] == "model-route.lab.internal"
    assert found["model_route_api_ip_hash"]["balance"] == "ip_hash"
    assert found["web_api"]["tls_name"] == ""
    assert found["web_api"]["servers"] == [{"address": "10.0.20.11", "port": 3001}]
