"""What a connection's end means, and which addresses are tried."""

from __future__ import annotations

import json

import pytest
import yaml

from rackwright.catalogue.load import load_catalogue
from rackwright.catalogue.site import Site, place
from rackwright.site.paths import repository_root
from rackwright.zones.observe import Probe, global_addresses, probes
from rackwright.zones.report import as_dict, as_html, as_table, summary
from rackwright.zones.run import Matrix

EDGE, DATA = "10.0.10.11", "10.0.30.11"


@pytest.fixture
def site() -> Site:
    """An edge, a data host and a client outside."""
    values = {
        name: yaml.safe_load((repository_root() / f"group_vars/all/{name}.yml").read_text())
        for name in ("services", "zones")
    }
    return place(
        load_catalogue(values["services"]["services"], values["zones"]["zone_policy"]),
        name="test",
        domain="test.example",
        groups={
            "platform": ["edge1", "data1"],
            "outside": ["outside1"],
            "zone_dmz": ["edge1"],
            "zone_data": ["data1"],
            "edge": ["edge1"],
            "redis": ["data1"],
        },
        addresses={"edge1": EDGE, "data1": DATA, "outside1": "192.0.2.1"},
        zones={"dmz": {"cidr": "10.0.10.0/24"}, "data": {"cidr": "10.0.30.0/24"}},
        management_sources=["10.0.99.0/24"],
    )


@pytest.mark.parametrize(
    ("allowed", "result", "verdict"),
    [
        (True, "open", "ok"),
        (True, "refused", "silent"),
        (True, "timeout", "closed"),
        (False, "timeout", "ok"),
        (False, "unreachable", "ok"),
        (False, "open", "open"),
        # The host itself refused: the firewall let the packet in.
        (False, "refused", "open"),
    ],
)
def test_a_refusal_has_been_through_the_firewall(allowed: bool, result: str, verdict: str) -> None:
    assert Probe("a", "b", DATA, 22, allowed, result).verdict == verdict


def test_an_address_that_nobody_named_must_be_closed(site: Site) -> None:
    answers = {
        "outside1": [
            {"address": EDGE, "port": 443, "result": "open"},
            {"address": "fd00::11", "port": 443, "result": "open"},
            {"address": "10.9.9.9", "port": 443, "result": "open"},
        ]
    }
    found = list(probes(site, answers, {"edge1": [EDGE, "fd00::11"], "outside1": ["fd00::99"]}))

    assert [(probe.address, probe.verdict) for probe in found] == [(EDGE, "ok"), ("fd00::11", "open")]


def test_addresses_of_bridges_are_not_the_hosts() -> None:
    links = [
        {"ifname": "eth0", "addr_info": [{"local": EDGE}, {"local": "fd00::11"}]},
        {"ifname": "docker0", "addr_info": [{"local": "172.17.0.1"}]},
    ]

    assert global_addresses({"stdout": json.dumps(links)}) == [EDGE, "fd00::11"]
    assert global_addresses({"stdout": "no JSON"}) == []


def test_the_report_tells_what_is_wrong_and_who_could_not_try(site: Site) -> None:
    wrong = Probe("edge1", "data1", DATA, 6379, allowed=False, result="open")
    zones = {"edge1": "dmz", "data1": "data"}
    matrix = Matrix(site.name, ("edge1",), ("edge1", "data1"), zones, (wrong,), {"data1": "no <SSH>"})

    assert not matrix.passed
    assert as_dict(matrix)["wrong"][0]["verdict"] == "open"
    assert summary(matrix).startswith("0 of 1 connections")
    assert as_table(matrix).row_count == 1
    page = as_html(matrix)
    assert "port 6379: open, must be closed" in page
    assert "no &lt;SSH&gt;" in page
