"""What Traefik is told of a site: nothing that its reference does not have, and the narrower rule first."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from traefik_site import DOUBLE, documented, route, settings, site

from rackwright.edge.answers import CIPHERS
from rackwright.edge.traefik.configuration import configuration, go_cipher

Tree = dict[str, Any]
OPEN: Tree = {"maintenance": {"enabled": False}}
CLOSED: Tree = {"maintenance": {"enabled": True, "message": "Until 04:00.", "except": ["10.0.40.0/24"]}}
ALONE: Tree = {
    "trusted_proxies": [],
    "cors_origins": [],
    "client_authority": "",
    "metrics_callers": [],
    "challenges": "",
}
NOTHING: Tree = {"sites": [], "upstreams": {}}


@pytest.fixture(
    params=[OPEN, CLOSED, ALONE, NOTHING, ALONE | NOTHING], ids=["open", "closed", "alone", "nothing", "bare"]
)
def told(request: pytest.FixtureRequest) -> Tree:
    changes = dict(request.param)
    if not changes.get("client_authority", "x"):
        changes["sites"] = changes.get("sites", [site("api", route("/api/"))])
    return configuration(settings(**changes))


def test_every_key_is_in_the_reference(told: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(DOUBLE))
    from double.told import checked  # noqa: PLC0415 - found only now

    assert checked(told, documented()["dynamic"]) == told


def test_what_is_named_is_there(told: Tree) -> None:
    http, options = told["http"], told["tls"]["options"]
    for router in http["routers"].values():
        assert set(router.get("middlewares", [])) <= set(http["middlewares"])
        assert router["service"].endswith("@internal") or router["service"] in http["services"]
        assert router.get("tls", {}).get("options", "default") in options
    for service in http["services"].values():
        for name in service.get("failover", {}).values():
            assert name in http["services"]
        transport = service.get("loadBalancer", {}).get("serversTransport")
        assert transport is None or transport in http["serversTransports"]


def test_no_two_routers_have_one_priority_and_none_has_zero(told: Tree) -> None:
    found = [router["priority"] for router in told["http"]["routers"].values()]
    assert sorted(found) == list(range(1, len(found) + 1))


def routers(told: Tree, entry_point: str = "https") -> list[tuple[str, Tree]]:
    """The routers of an entry point, the first to be asked first."""
    here = [
        (name, each) for name, each in told["http"]["routers"].items() if entry_point in each["entryPoints"]
    ]
    return sorted(here, key=lambda item: -item[1]["priority"])


def paths(told: Tree, host: str) -> Iterator[str]:
    for name, router in routers(told):
        if name.startswith(f"{host}-") and "PathPrefix" in router["rule"] and "Method" not in router["rule"]:
            yield router["rule"].split("PathPrefix(`")[1].split("`")[0]


def test_a_longer_path_is_asked_before_a_shorter_one() -> None:
    found = list(dict.fromkeys(paths(configuration(settings()), "api")))
    assert found.index("/api/admin/") < found.index("/api/")


def test_a_closed_site_is_closed_everywhere_but_at_its_health() -> None:
    told = configuration(settings(**CLOSED))
    for name, router in routers(told):
        done = router.get("middlewares", [])
        ours = name.startswith("api-") and router["service"] == "app_api"
        if ours and "Path(`/health`)" not in router["rule"]:
            assert {"closed", "closed-proxied"} & set(done), name
        if "Path(`/health`)" in router["rule"]:
            assert not {"closed", "closed-proxied"} & set(done), name


def test_addresses_are_looked_at_before_anything_is_counted_or_passed_on() -> None:
    for name, router in configuration(settings())["http"]["routers"].items():
        if router["service"] != "app_api":
            continue
        done = router["middlewares"]
        kinds = [
            next((at for at, each in enumerate(done) if each.startswith(kind)), -1)
            for kind in ("allow-", "at-a-time", "retry")
        ]
        assert -1 < kinds[0] < kinds[1] < kinds[2], name
        assert done.index("said") < kinds[0]
        # Behind a proxy of ours the address is another one's word, and only there.
        assert ("-proxied" in done[kinds[0]]) == ("ClientIP" in router["rule"])


def test_suites_are_those_of_the_other_engines_by_gos_names() -> None:
    assert go_cipher("ECDHE-RSA-AES256-GCM-SHA384") == "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384"
    assert len({go_cipher(name) for name in CIPHERS}) == len(CIPHERS)
