"""What a host may open besides its services' flows, and what a container may call on its own host."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from pydantic import ValidationError

from rackwright.catalogue.egress import beside, confined, outbound_site
from rackwright.catalogue.site import Site

MakeSite = Callable[..., Site]
MIRROR = {"name": "mirror", "networks": ["10.0.5.0/24"], "ports": [80, 443]}


def test_what_the_site_allows_is_opened_for_its_groups_alone(make_site: MakeSite) -> None:
    site = make_site(egress=[MIRROR | {"groups": ["edge"]}])

    assert {rule["port"] for rule in outbound_site(site, "edge1")} == {80, 443}
    assert list(outbound_site(site, "data1")) == []
    assert len(list(outbound_site(make_site(egress=[MIRROR]), "data1"))) == 2


def test_an_identity_provider_is_open_to_the_apps_hosts_alone(make_site: MakeSite) -> None:
    provider = {"issuer": "https://login.example:8443/realms/site", "networks": ["10.0.6.7/32"]}
    site = make_site(sign_in_provider=provider)

    (rule,) = outbound_site(site, "app1")
    assert (rule["service"], rule["port"], rule["destinations"]) == ("sign_in", 8443, ["10.0.6.7/32"])
    assert list(outbound_site(site, "edge1")) == []
    other = make_site(sign_in_provider=provider | {"ports": [443, 9443]})
    assert [rule["port"] for rule in outbound_site(other, "app1")] == [443, 9443]
    assert list(outbound_site(make_site(sign_in_provider={}), "app1")) == []


@pytest.mark.parametrize(
    "wrong", [{"networks": []}, {"networks": ["mirror.example"]}, {"ports": [0]}, {"protocol": "icmp"}]
)
def test_an_entry_that_means_nothing_is_refused(make_site: MakeSite, wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        make_site(egress=[MIRROR | wrong])


def test_the_edges_account_reaches_what_the_edge_passes_on_and_no_other_service(make_site: MakeSite) -> None:
    everything = ["edge1"]
    groups = dict.fromkeys(("edge", "app", "postgresql", "redis", "inference"), everything)
    site = make_site(groups)

    assert confined(site, "edge1") == [{"user": "www-data", "ports": [3001]}]
    assert confined(site, "data1") == []


def test_a_container_reaches_the_service_beside_it_that_names_it(
    make_site: MakeSite, services: dict[str, Any]
) -> None:
    services["redis"]["ports"]["tls"]["callers"] = ["service:app", "service:llama_cpp"]
    here = {"redis": ["app1"]}

    assert [entry["service"] for entry in beside(make_site(here), "app1")] == ["redis"]
    # The app is no container: its packets go over the loopback.
    services["redis"]["ports"]["tls"]["callers"] = ["service:app"]
    assert beside(make_site(here), "app1") == []
