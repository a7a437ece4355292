"""Addresses, overlaps, names, package sources, proxies."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import pytest
from hypothesis import given
from hypothesis import strategies as st
from preflight_sample import SOUND, seen, subject

from rackwright.preflight.finding import HostFinding
from rackwright.preflight.judge_network import address_findings

Judged: TypeAlias = Callable[..., list[HostFinding]]
ETH0 = SOUND["interfaces"][1]


def interface(name: str, *addresses: str) -> dict[str, Any]:
    return {"name": name, "up": True, "addresses": list(addresses), "speed_mbps": None}


def source(kind: str, **changes: object) -> dict[str, Any]:
    return {
        "url": "http://mirror.test/InRelease",
        "proxy": "",
        "kind": kind,
        "detail": "why",
        "seconds": 1,
    } | changes


def only(findings: list[HostFinding]) -> HostFinding:
    assert len(findings) == 1, findings
    return findings[0]


def test_the_zone_address_is_on_no_interface(judged: Judged) -> None:
    finding = only(judged(interfaces=[interface("eth0", "192.0.2.7/24")]))
    assert (finding.severity, finding.check) == ("error", "address")
    assert "192.0.2.7" in finding.found
    assert "10.0.30.11" in finding.needed


OVERLAPS = [
    ("br-abc", "10.0.20.1/24", "error", "docker_address_pools"),
    ("docker0", "10.0.0.1/16", "error", "docker_address_pools"),
    ("eth1", "10.0.20.9/24", "warning", "past the firewalls"),
    ("wg0", "10.0.30.200/24", "error", "would be looked for on wg0"),
    ("eth1", "192.168.7.1/24", None, ""),
    ("eth1", "fd00::1/64", None, ""),
]


@pytest.mark.parametrize(("name", "address", "severity", "mend"), OVERLAPS)
def test_overlaps_with_a_zone(
    judged: Judged, name: str, address: str, severity: str | None, mend: str
) -> None:
    found = judged(interfaces=[ETH0, interface(name, address)])
    if severity is None:
        assert found == []
    else:
        assert {(finding.check, finding.severity) for finding in found} == {("overlap", severity)}
        assert any(mend in finding.mend for finding in found)


def test_a_route_that_catches_a_zone(judged: Judged) -> None:
    routes = [{"network": "10.0.20.0/23", "interface": "tun0", "gateway": ""}]
    assert "10.0.20.0/23 on tun0 overlaps zone app" in only(judged(routes=routes)).found


def test_the_way_out_is_no_overlap(judged: Judged) -> None:
    routes = [
        {"network": "0.0.0.0/0", "interface": "eth9", "gateway": "192.0.2.1"},
        {"network": "10.0.20.0/24", "interface": "eth0", "gateway": "10.0.30.1"},
    ]
    assert judged(routes=routes) == []


def test_dockers_pool_and_the_hosts_own_networks(judged: Judged) -> None:
    lan = [ETH0, interface("eth1", "172.30.5.2/16")]
    assert judged(interfaces=lan) == []
    assert "Docker's pool 172.30.0.0/16" in only(judged(subject("docker"), interfaces=lan)).found
    # What Docker made of the pool itself is where it belongs.
    made = [ETH0, interface("docker0", "172.30.0.1/24"), interface("br-llama_cpp", "172.30.1.1/24")]
    assert judged(subject("docker"), interfaces=made) == []


@given(third=st.integers(0, 255), prefix=st.integers(17, 30), name=st.sampled_from(["br-x", "eth1", "wg0"]))
def test_a_network_beside_the_zones_is_never_blamed_and_one_in_them_always(
    third: int, prefix: int, name: str
) -> None:
    observations = seen(interfaces=[ETH0, interface(name, f"10.0.{third}.5/{prefix}")])
    found = [
        finding
        for finding in address_findings(subject(), observations)
        if finding.severity not in {"ok", "info"}
    ]
    size = 2 ** max(0, 24 - prefix)
    block = range(third // size * size, third // size * size + size)
    assert bool(found) is any(zone in block for zone in (10, 20, 30)) or prefix > 24


class TestNames:
    """Resolvers."""

    def test_a_server_that_does_not_answer(self, judged: Judged) -> None:
        dns = [{"server": "10.0.0.53", "ok": False, "detail": "no answer within 3 s"}]
        found = judged(subject("redis", dns_servers=("10.0.0.53",)), dns=dns)
        assert only(found).found == "10.0.0.53: no answer within 3 s"

    def test_a_name_that_does_not_resolve(self, judged: Judged) -> None:
        names = [{"name": "mirror.test", "ok": False, "detail": "unknown", "seconds": 1}]
        assert "mirror.test" in only(judged(names=names)).found

    def test_a_resolver_that_the_zone_will_cut_off(self, judged: Judged) -> None:
        about = subject("redis", dns_servers=("10.0.0.53",))
        good = [{"server": "10.0.0.53", "ok": True, "detail": "answers"}]
        finding = only(judged(about, dns=good, resolvers=["10.0.0.53", "8.8.8.8"]))
        assert (finding.severity, finding.found) == ("warning", "/etc/resolv.conf asks 8.8.8.8")
        assert judged(about, dns=good, resolvers=["127.0.0.53", "10.0.0.53"]) == []
        assert judged(resolvers=["fe80::1%eth0", "8.8.8.8"]) == []


class TestSources:
    """Package sources and mirrors."""

    KINDS = ("name", "refused", "timeout", "unreachable", "tls", "status", "proxy", "medium", "other")

    @pytest.mark.parametrize("kind", KINDS)
    def test_what_can_be_wrong(self, judged: Judged, kind: str) -> None:
        finding = only(judged(sources=[source(kind)]))
        assert (finding.severity, finding.check, finding.found) == ("error", "mirrors", "why")

    def test_the_proxy_is_named_when_it_is_the_proxy(self, judged: Judged) -> None:
        finding = only(judged(sources=[source("refused", proxy="http://10.0.40.2:3142")]))
        assert "through http://10.0.40.2:3142" in finding.found
        assert "package_proxy" in finding.mend

    def test_somebody_answers_in_its_place(self, judged: Judged) -> None:
        finding = only(judged(sources=[source("intercepted", detail="it answers text/html")]))
        assert (finding.severity, finding.check) == ("error", "proxy")

    def test_other_mirrors_count_too(self, judged: Judged) -> None:
        assert only(judged(urls=[source("timeout", url="https://images.test")])).needed.endswith(
            "images.test"
        )


class TestProxies:
    """What is set on the host."""

    def test_the_environments_proxy_would_catch_the_platforms_own_traffic(self, judged: Judged) -> None:
        proxy = {"where": "/etc/environment", "name": "http_proxy", "value": "http://p:3128"}
        finding = only(judged(proxies=[proxy]))
        assert (finding.severity, finding.check) == ("warning", "proxy")
        assert "no_proxy=10.0.10.0/24,10.0.20.0/24,10.0.30.0/24,localhost" in finding.mend
        exempt = {
            "where": "/etc/environment",
            "name": "no_proxy",
            "value": "10.0.10.0/24, 10.0.20.0/24,10.0.30.0/24",
        }
        assert judged(proxies=[proxy, exempt]) == []

    def test_apts_own_proxy(self, judged: Judged) -> None:
        entry = {
            "where": "/etc/apt/apt.conf.d/90corp",
            "name": "Acquire::http::Proxy",
            "value": "http://p:3128/",
        }
        about = subject("redis", package_proxy="http://10.0.40.2:3142")
        assert judged(proxies=[entry]) == []
        assert only(judged(about, proxies=[entry])).severity == "error"
        assert judged(about, proxies=[entry | {"value": "http://10.0.40.2:3142"}]) == []
        assert judged(about, proxies=[entry | {"where": "/etc/apt/apt.conf.d/00rackwright-proxy"}]) == []
