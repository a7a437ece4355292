"""What the edge's configuration must not say: each rule by a change of one that is good."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any

import pytest
import yaml

from rackwright.audit import haproxy, traefik
from rackwright.audit.edge import CHECK, FILES, NGINX, judge_edge, judge_gixy
from rackwright.audit.model import Audit, data

Change = Callable[[dict[str, Any]], object]
HAPROXY = """\
# managed
global
    stats socket /run/haproxy/admin.sock mode 600 level admin
    ssl-default-bind-options ssl-min-ver TLSv1.2 no-tls-tickets
    ssl-default-server-options ssl-min-ver TLSv1.2
defaults
    mode http
    log-format '{"client":"%ci"}'
frontend http
    bind 10.0.0.1:80
    default_backend files
frontend https
    bind 10.0.0.1:443 ssl strict-sni crt-list /etc/haproxy/tls/names
    acl from_proxy src 10.9.9.9/32
    http-request set-src req.hdr_ip(x-forwarded-for,-1) if from_proxy
    http-request set-header X-Forwarded-For %[src]
    use_backend app if { path_beg /api/ }
    default_backend files
backend files
    server files unix@/run/rackwright-edge-files/http.sock check
backend app
    default-server check ssl verify required ca-file /ca.pem verifyhost app
    server 10.0.1.1:3001 10.0.1.1:3001
frontend metrics
    bind 10.0.0.1:8404 ssl crt /own.pem ca-file /ca.pem verify required
    http-request use-service prometheus-exporter
"""
STATIC: dict[str, Any] = {
    "global": {"checkNewVersion": False, "sendAnonymousUsage": False},
    "entryPoints": {
        "http": {"address": "10.0.0.1:80"},
        "https": {
            "address": "10.0.0.1:443",
            "forwardedHeaders": {"trustedIPs": ["10.9.9.9/32"]},
            "http": {
                "sanitizePath": True,
                "encodedCharacters": {
                    "allowEncodedSlash": False,
                    "allowEncodedBackSlash": False,
                    "allowEncodedNullCharacter": False,
                },
            },
        },
        "metrics": {"address": "10.0.0.1:8405"},
    },
    "providers": {"file": {"filename": "/etc/traefik/edge.yml", "watch": False}},
    "metrics": {"prometheus": {"manualRouting": True}},
}
DYNAMIC: dict[str, Any] = {
    "http": {
        "routers": {
            "to-https": {"rule": "PathPrefix(`/`)", "entryPoints": ["http"], "service": "noop@internal"},
            "api": {"rule": "Host(`a`)", "entryPoints": ["https"], "service": "app", "tls": {}},
            "metrics": {
                "rule": "Path(`/metrics`)",
                "entryPoints": ["metrics"],
                "service": "prometheus@internal",
                "tls": {"options": "watched"},
            },
        },
        "serversTransports": {"app": {"serverName": "app", "rootCAs": ["/ca.pem"]}},
    },
    "tls": {
        "options": {
            "default": {"minVersion": "VersionTLS12"},
            "watched": {
                "minVersion": "VersionTLS12",
                "clientAuth": {"caFiles": ["/ca.pem"], "clientAuthType": "RequireAndVerifyClientCert"},
            },
        }
    },
}


def of_haproxy(former: str = "", other: str = "") -> list[str]:
    """Return the rules that a change of the good one breaks."""
    assert former in HAPROXY
    return [found.rule for found in haproxy.weaknesses(HAPROXY.replace(former, other) if former else HAPROXY)]


def of_traefik(change: Change = dict) -> list[str]:
    """Return the rules that a change of the good one breaks."""
    tree = copy.deepcopy({**STATIC, "dynamic": DYNAMIC})
    change(tree)
    dynamic = tree.pop("dynamic")
    return [found.rule for found in traefik.weaknesses(tree, dynamic)]


def put(path: str, value: object) -> Change:
    """A change that says something else at a path."""
    *parents, last = path.split(".")

    def change(tree: dict[str, Any]) -> None:
        for parent in parents:
            tree = tree.setdefault(parent, {})
        tree[last] = value

    return change


def test_good_ones_have_no_weakness() -> None:
    assert of_haproxy() == []
    assert of_traefik() == []


@pytest.mark.parametrize(
    ("former", "other", "rule"),
    [
        ("options ssl-min-ver TLSv1.2 no", "options ssl-min-ver TLSv1.1 no", "tls_versions"),
        ("ssl strict-sni", "ssl ssl-min-ver TLSv1.0 strict-sni", "tls_versions"),
        ("ssl strict-sni", "ssl force-tlsv10 strict-sni", "tls_versions"),
        ("ssl verify required ca-file /ca.pem verifyhost app", "ssl verify none", "verification"),
        ("    ssl-default-server-options ssl-min-ver TLSv1.2", "    ssl-server-verify none", "verification"),
        ("defaults\n", "defaults\n    stats enable\n", "administration"),
        ("defaults\n", "defaults\n    stats uri /numbers\n", "administration"),
        ("socket /run/haproxy/admin.sock", "socket ipv4@10.0.0.1:9999", "administration"),
        ("socket /run/haproxy/admin.sock", "socket *:9999", "administration"),
        ("mode 600 level", "mode 666 level", "administration"),
        (
            " ca-file /ca.pem verify required\n    http-request use",
            "\n    http-request use",
            "administration",
        ),
        (" if from_proxy", "", "client_address"),
        ("    http-request set-header X-Forwarded-For %[src]\n", "", "client_address"),
        ("X-Forwarded-For %[src]", "X-Forwarded-For %[src] if from_proxy", "client_address"),
        ("10.0.0.1:443 ssl", "10.0.0.1:443 accept-proxy ssl", "client_address"),
        ("mode http\n", "mode http\n    option accept-invalid-http-request\n", "broken_requests"),
        (
            "mode http\n",
            "mode http\n    option accept-unsafe-violations-in-http-request\n",
            "broken_requests",
        ),
        ("global\n", "global\n    h1-accept-payload-with-any-method\n", "broken_requests"),
    ],
)
def test_each_weakness_of_haproxy_is_found(former: str, other: str, rule: str) -> None:
    assert of_haproxy(former, other) == [rule]


def test_what_is_a_comment_or_taken_back_is_no_weakness() -> None:
    assert of_haproxy("# managed", "# stats enable") == []
    assert (
        of_haproxy("mode http\n", "mode http # verify none\n    no option accept-invalid-http-request\n")
        == []
    )


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        (put("dynamic.tls.options.default.minVersion", "VersionTLS11"), "tls_versions"),
        (put("dynamic.http.serversTransports.app.insecureSkipVerify", True), "verification"),
        (put("serversTransport.insecureSkipVerify", True), "verification"),
        (put("api", {"insecure": True}), "administration"),
        (put("api", {}), "administration"),
        (put("providers.rest", {"insecure": True}), "administration"),
        (put("metrics.prometheus", {}), "administration"),
        (put("dynamic.http.routers.api.service", "api@internal"), "administration"),
        (put("dynamic.http.routers.metrics.tls", {}), "administration"),
        (put("entryPoints.https.forwardedHeaders.insecure", True), "client_address"),
        (put("entryPoints.https.forwardedHeaders.trustedIPs", ["0.0.0.0/0"]), "client_address"),
        (put("entryPoints.http.proxyProtocol", {"trustedIPs": ["::/0"]}), "client_address"),
        (put("entryPoints.https.http.sanitizePath", False), "broken_requests"),
        (put("entryPoints.https.http.encodedCharacters.allowEncodedSlash", True), "broken_requests"),
        (put("entryPoints.https.http.encodedCharacters", {}), "broken_requests"),
        (put("global", {"sendAnonymousUsage": False}), "calls_out"),
        (put("global.sendAnonymousUsage", True), "calls_out"),
        (put("experimental.plugins", {"a": {}}), "calls_out"),
    ],
)
def test_each_weakness_of_traefik_is_found(change: Change, rule: str) -> None:
    assert of_traefik(change) == [rule]


TEXTS: Mapping[str, str] = {
    "/etc/haproxy/haproxy.cfg": HAPROXY,
    "/etc/traefik/traefik.yml": yaml.safe_dump(STATIC),
    "/etc/traefik/edge.yml": yaml.safe_dump(DYNAMIC),
    NGINX: "events {}",
    FILES: "events {}",
}


@pytest.mark.parametrize(("engine", "looks"), [("nginx", 1), ("haproxy", 2), ("traefik", 2)])
def test_the_report_says_who_read_what(engine: str, looks: int) -> None:
    read: list[str] = []

    def gixy(text: str) -> list[Mapping[str, Any]]:
        read.append(text)
        return []

    found = list(judge_edge("e", engine, TEXTS, gixy))
    assert [item.status for item in found] == ["pass"] * looks
    assert len(read) == 1
    assert (NGINX if engine == "nginx" else FILES) in found[-1].detail["zh"]
    assert ("gixy reads nginx alone" in found[0].detail["en"]) == (engine != "nginx")


@pytest.mark.parametrize("engine", ["haproxy", "traefik"])
def test_what_was_not_read_is_no_pass(engine: str) -> None:
    assert {item.status for item in judge_edge("e", engine, {}, lambda _: [])} == {"warn"}
    odd = dict.fromkeys(TEXTS, "- [")
    told = {item.status for item in judge_edge("e", engine, odd, lambda _: [])}
    assert ("warn" in told) == (engine == "traefik")


@pytest.mark.parametrize(
    ("engine", "path", "text"),
    [
        ("haproxy", "/etc/haproxy/haproxy.cfg", HAPROXY.replace("mode 600", "mode 666")),
        ("traefik", "/etc/traefik/traefik.yml", yaml.safe_dump(STATIC | {"api": {}})),
    ],
)
def test_a_weakness_fails_with_its_rule_and_place(engine: str, path: str, text: str) -> None:
    failed = [
        item for item in judge_edge("e", engine, {**TEXTS, path: text}, lambda _: []) if item.status == "fail"
    ]
    rule = data()["edge_rules"]["administration"]
    (item,) = failed
    for language in ("en", "zh"):
        assert item.detail[language].startswith(path.partition(".")[0])
        assert rule[language] in item.detail[language]
    assert ("line 3" if engine == "haproxy" else "api") in item.detail["en"]


def test_every_rule_is_told_in_both_languages() -> None:
    for rule in data()["edge_rules"].values():
        assert rule["en"]
        assert rule["zh"]


def test_a_finding_of_gixy_passes_with_a_written_reason_only() -> None:
    told = {"plugin": "proxy_buffering_off", "severity": "MEDIUM", "summary": "s"}

    assert [item.status for item in judge_gixy("e", NGINX, [told])] == ["pass"]
    assert [item.status for item in judge_gixy("e", NGINX, [told | {"plugin": "ssrf"}])] == ["fail"]
    assert [item.status for item in judge_gixy("e", NGINX, None)] == ["warn"]
    # What is below LOW is no finding, and leaves the file with none.
    (item,) = judge_gixy("e", NGINX, [told | {"severity": "UNSPECIFIED"}])
    assert (item.status, NGINX in item.detail["en"]) == ("pass", True)


def test_what_could_not_be_read_is_not_met_by_what_was() -> None:
    found = tuple(judge_edge("e", "haproxy", {FILES: "events {}"}, lambda _: []))
    assert {item.status for item in found} == {"warn", "pass"}
    assert Audit("lab", ("e",), found).status([CHECK]) == "warn"
