"""What the preflight of the role nginx refuses, and that it accepts what the role ships."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]


DEFAULTS = yaml.safe_load((ROOT / "roles/nginx/defaults/main.yml").read_text())
GOOD: dict[str, Any] = {
    **DEFAULTS,
    "nginx_domain": "lab.example.internal",
    "nginx_listen": {
        "http": {"address": "192.0.2.1", "port": 80},
        "https": {"address": "192.0.2.1", "port": 443},
    },
    "nginx_upstreams": {
        "app": {"servers": [{"address": "192.0.2.2", "port": 3001}], "tls_name": "app.internal"}
    },
    "nginx_sites": [],
}
ROUTE: dict[str, Any] = {"path": "/api/", "upstream": "app", "networks": ["10.0.0.0/8"]}


def site(**changes: object) -> dict[str, Any]:
    """The change that gives the edge one site with one route."""
    return {"nginx_sites": [{"name": "api", "routes": [ROUTE | changes]}]}


Problems = Callable[[Mapping[str, Any]], list[str]]


@pytest.fixture
def problems(load: Callable[[str, str], ModuleType]) -> Problems:
    found: Problems = load("filter", "nginx").nginx_problems
    return found


def test_the_defaults_are_sound(problems: Problems) -> None:
    assert problems(GOOD) == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"nginx_upload_limit_mb": 0}, ["nginx_upload_limit_mb", "0", "from 1 to 10240", "50"]),
        ({"nginx_upload_limit_mb": "lots"}, ["nginx_upload_limit_mb", "'lots'", "whole number"]),
        ({"nginx_api_rate": True}, ["nginx_api_rate", "True"]),
        ({"nginx_read_timeout": "300; return 200"}, ["nginx_read_timeout", "whole number"]),
        (site(networks=["10.0.0.0/33"]), ["nginx_sites.api/api/.networks", "10.0.0.0/33", "is no network"]),
        (site(networks=["10.0.0.1/8"]), ["10.0.0.1/8", "host bits set"]),
        (site(path="/api/; deny"), ["nginx_sites.api", "is no path"]),
        (
            {"nginx_sites": [{"name": "api", "client_certificate": True}]},
            ["nginx_client_authority", "could be verified"],
        ),
        ({"nginx_client_authority": "a text"}, ["nginx_client_authority", "no certificate"]),
        ({"nginx_acme": {"directory": "acme.example"}}, ["nginx_acme.directory", "no URL"]),
        ({"nginx_acme": {"directory": "https://a/$(id)"}}, ["nginx_acme.directory", "no URL"]),
        ({"nginx_ocsp_responder": "http://ocsp.example"}, ["nginx_ocsp_responder", "with an address"]),
        ({"nginx_maintenance": {"except": ["here"]}}, ["nginx_maintenance.except", "'here'"]),
        ({"nginx_trusted_proxies": ["0.0.0.0/0"]}, ["nginx_trusted_proxies", "any address"]),
        ({"nginx_trusted_proxies": ["all"]}, ["nginx_trusted_proxies", "is no network"]),
        ({"nginx_domain": "Example.internal"}, ["nginx_domain", "lower case"]),
        ({"nginx_domain": "a b"}, ["nginx_domain"]),
        ({"nginx_sites": [{"name": "api"}, {"name": "api"}]}, ["nginx_sites", "twice"]),
        ({"nginx_sites": [{"name": "a.b"}]}, ["nginx_sites", "'a.b'"]),
        (site(upstream="ap"), ["'ap'", "no upstream", "app"]),
        (
            {"nginx_upstreams": {"app": {"servers": []}}},
            ["nginx_upstreams.app.servers", "nothing would answer"],
        ),
        ({"nginx_upstreams": {"app": {"servers": [{"address": "app1"}]}}}, ["no IP address"]),
        ({"nginx_cors_origins": ["*"]}, ["nginx_cors_origins", "*"]),
        ({"nginx_listen": {"http": {"address": "edge1", "port": 0}}}, ["nginx_listen.http.address"]),
        (
            {"nginx_listen": {"http": {"address": "192.0.2.1", "port": 70000}}},
            ["nginx_listen.http.port", "70000"],
        ),
    ],
)
def test_bad_input_is_refused_with_variable_value_rule_and_what_to_write(
    problems: Problems, change: dict[str, Any], words: list[str]
) -> None:
    found = problems({**GOOD, **change})

    assert found
    assert any(all(word in problem for word in words) for problem in found), found
    assert all("; write " in problem for problem in found)


def test_every_number_of_the_role_is_checked(problems: Problems) -> None:
    numbers = {name for name, value in DEFAULTS.items() if isinstance(value, int)}

    for name in numbers:
        assert problems({**GOOD, name: -1}), name
