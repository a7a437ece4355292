"""What the preflight of the edge's roles refuses, and that it accepts what each role ships."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
ENGINES = ("nginx", "haproxy", "traefik")
GOOD: dict[str, Any] = {
    "domain": "lab.example.internal",
    "listen": {
        "http": {"address": "192.0.2.1", "port": 80},
        "https": {"address": "192.0.2.1", "port": 443},
    },
    "upstreams": {"app": {"servers": [{"address": "192.0.2.2", "port": 3001}], "tls_name": "app.internal"}},
    "sites": [],
}
ROUTE: dict[str, Any] = {"path": "/api/", "upstream": "app", "networks": ["10.0.0.0/8"]}


def site(**changes: object) -> dict[str, Any]:
    """The change that gives the edge one site with one route."""
    return {"sites": [{"name": "api", "routes": [ROUTE | changes]}]}


Problems = Callable[[Mapping[str, Any]], list[str]]


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def defaults(engine: str) -> dict[str, Any]:
    """The role's defaults, under their names without the role's."""
    found = yaml.safe_load((ROOT / f"roles/{engine}/defaults/main.yml").read_text())
    return {name.removeprefix(f"{engine}_"): value for name, value in found.items()}


@pytest.fixture
def problems(load: Callable[[str, str], ModuleType], engine: str, defaults: dict[str, Any]) -> Problems:
    """What is found when these settings are laid over the role's defaults."""

    def found(change: Mapping[str, Any]) -> list[str]:
        settings = {f"{engine}_{name}": value for name, value in {**defaults, **GOOD, **change}.items()}
        told: list[str] = load("filter", "edge").edge_problems(settings, engine)
        assert all(problem.startswith(f"{engine}_") for problem in told)
        return told

    return found


def test_the_defaults_are_sound(problems: Problems) -> None:
    assert problems({}) == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"upload_limit_mb": 0}, ["upload_limit_mb", "0", "from 1 to 10240", "50"]),
        ({"upload_limit_mb": "lots"}, ["upload_limit_mb", "'lots'", "whole number"]),
        ({"api_rate": True}, ["api_rate", "True"]),
        ({"read_timeout": "300; return 200"}, ["read_timeout", "whole number"]),
        (site(networks=["10.0.0.0/33"]), ["sites.api/api/.networks", "10.0.0.0/33", "is no network"]),
        (site(networks=["10.0.0.1/8"]), ["10.0.0.1/8", "host bits set"]),
        (site(path="/api/; deny"), ["sites.api", "is no path"]),
        (
            {"sites": [{"name": "api", "client_certificate": True}]},
            ["client_authority", "could be verified"],
        ),
        ({"client_authority": "a text"}, ["client_authority", "no certificate"]),
        ({"ocsp_responder": "http://ocsp.example"}, ["ocsp_responder", "with an address"]),
        ({"maintenance": {"except": ["here"]}}, ["maintenance.except", "'here'"]),
        ({"trusted_proxies": ["0.0.0.0/0"]}, ["trusted_proxies", "any address"]),
        ({"trusted_proxies": ["all"]}, ["trusted_proxies", "is no network"]),
        ({"domain": "Example.internal"}, ["domain", "lower case"]),
        ({"domain": "a b"}, ["domain"]),
        ({"sites": [{"name": "api"}, {"name": "api"}]}, ["sites", "twice"]),
        ({"sites": [{"name": "a.b"}]}, ["sites", "'a.b'"]),
        (site(upstream="ap"), ["'ap'", "no upstream", "app"]),
        (
            {"upstreams": {"app": {"servers": []}}},
            ["upstreams.app.servers", "nothing would answer"],
        ),
        ({"upstreams": {"app": {"servers": [{"address": "app1"}]}}}, ["no IP address"]),
        ({"cors_origins": ["*"]}, ["cors_origins", "*"]),
        ({"listen": {"http": {"address": "edge1", "port": 0}}}, ["listen.http.address"]),
        (
            {"listen": {"http": {"address": "192.0.2.1", "port": 70000}}},
            ["listen.http.port", "70000"],
        ),
    ],
)
def test_bad_input_is_refused_with_variable_value_rule_and_what_to_write(
    problems: Problems, change: dict[str, Any], words: list[str]
) -> None:
    found = problems(change)

    assert found
    assert any(all(word in problem for word in words) for problem in found), found
    assert all("; write " in problem for problem in found)


def test_every_number_of_the_role_is_checked(problems: Problems, defaults: dict[str, Any]) -> None:
    numbers = {name for name, value in defaults.items() if isinstance(value, int)}

    for name in numbers:
        assert problems({name: -1}), name


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"server": "acme.example"}, ["edge_acme_server", "no URL"]),
        ({"server": "https://a/$(id)"}, ["edge_acme_server", "no URL"]),
        ({"server": ""}, ["edge_acme_server", "no URL"]),
        ({"email": "a b"}, ["edge_acme_email", "no address"]),
        ({"authority": "a text"}, ["edge_acme_authority", "no certificate"]),
        ({"renew_days": 0}, ["edge_acme_renew_days", "from 1 to 365"]),
    ],
)
def test_an_acme_server_that_cannot_be_asked_is_refused(
    load: Callable[[str, str], ModuleType], change: dict[str, Any], words: list[str]
) -> None:
    problems = load("filter", "edge").edge_problems
    good = {"server": "https://192.0.2.1/directory", "email": "", "authority": "", "renew_days": 30}
    assert problems({f"edge_acme_{name}": value for name, value in good.items()}, "edge_acme") == []
    found = problems({f"edge_acme_{name}": value for name, value in {**good, **change}.items()}, "edge_acme")
    assert len(found) == 1
    assert all(word in found[0] for word in words)
